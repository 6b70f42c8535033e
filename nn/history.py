"""The record of an epoch of a training."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Epoch:
    """Loss and accuracy of one epoch.

    `loss` and `accuracy` are means over the examples of the epoch, each measured just before the
    step of its batch, with distortion and dropout if the training uses them. Those of a committee
    are the means of its members'. The validation figures are measured after the last step of the
    epoch, without distortion and dropout; they are those of the whole committee.
    """

    number: int
    """Counted from 1."""
    loss: float
    """Mean loss per example, without the L2 term."""
    accuracy: float
    """A fraction in [0, 1]."""
    validation_loss: float | None
    """None if `fit` has no validation data."""
    validation_accuracy: float | None
    """None if `fit` has no validation data."""
    learning_rate: float
    """Learning rate of the last step of the epoch."""
    seconds: float
    """Wall time in seconds, validation included."""
