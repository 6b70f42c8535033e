"""What is kept of every epoch of a training."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch of training came to.

    `loss` and `accuracy` are means over the epoch's batches, each measured just before its
    step, on the images as they were trained on: distorted, and with neurons left out, where that
    is asked for. The validation figures are measured after the epoch's last step, on images as
    they are.
    """

    number: int
    """Counted from 1."""
    loss: float
    """Mean loss per example, without the L2 term."""
    accuracy: float
    """A fraction in [0, 1]."""
    validation_loss: float | None
    """None where `fit` was given no validation data."""
    validation_accuracy: float | None
    """None where `fit` was given no validation data."""
    learning_rate: float
    """Of the epoch's last step."""
    seconds: float
    """Wall time, validation included."""
