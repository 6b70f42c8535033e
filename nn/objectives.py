"""Output functions and, for each pair of output and loss, the loss and its gradient.

Both start from the logits ``z`` of the output layer, shape ``(k, m)``, and targets ``y`` of the
same shape, one-hot or smoothed. An example is a column, and its targets sum to 1. They do not
start from activations, because an activation rounded to 0 or 1 has no finite cross-entropy.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from nn.activations import Array, sigmoid


class Objective(NamedTuple):
    """A loss as a function of logits and targets, and its gradient."""

    losses: Callable[[Array, Array], Array]
    """The loss of each example, shape ``(m,)``."""
    delta: Callable[[Array, Array, Array], object]
    """Writes ``dC/dz`` of each example, shape ``(k, m)``, to its third argument."""


def targets(labels: np.ndarray, classes: int, smoothing: float = 0.0) -> Array:
    """Return one-hot columns in float32, with `smoothing` spread evenly over all classes.

    Szegedy et al. 2016, arXiv:1512.00567, section 7.
    """
    y = np.full((classes, len(labels)), smoothing / classes, np.float32)
    y[labels, np.arange(len(labels))] += np.float32(1 - smoothing)
    return y


def mean_logits(logits: Sequence[Array]) -> Array:
    """Return the logits of a committee: the mean of its members' logits.

    Their softmax is the normalized geometric mean of the members' probabilities.
    """
    if len(logits) == 1:
        return logits[0]
    return np.asarray(sum(logits[1:], logits[0]) / np.float32(len(logits)))


def softmax(z: Array, out: Array | None = None) -> Array:
    """Return ``exp(z) / sum(exp(z))`` by column.

    The maximum of the column is subtracted first. Softmax is invariant under shifts, and with
    exponents up to 0 exp cannot overflow.
    """
    a: Array = np.subtract(z, np.maximum.reduce(z, axis=0, keepdims=True), out=out)
    np.exp(a, out=a)
    a /= np.add.reduce(a, axis=0, keepdims=True)
    return a


def _softmax_cross_entropy_losses(z: Array, y: Array) -> Array:
    shifted = z - z.max(axis=0, keepdims=True)
    losses: Array = np.log(np.exp(shifted).sum(axis=0)) - (y * shifted).sum(axis=0)
    return losses


def _softmax_cross_entropy_delta(z: Array, y: Array, out: Array) -> None:
    softmax(z, out)
    out -= y


def _softmax_quadratic_losses(z: Array, y: Array) -> Array:
    losses: Array = np.square(softmax(z) - y).sum(axis=0) / 2
    return losses


def _softmax_quadratic_delta(z: Array, y: Array, out: Array) -> None:
    a = softmax(z)
    error = a - y
    # Every logit changes every probability: da_i/dz_j = a_i (1[i=j] - a_j).
    np.multiply(a, error - (error * a).sum(axis=0, keepdims=True), out=out)


def _sigmoid_cross_entropy_losses(z: Array, y: Array) -> Array:
    # -y ln a - (1 - y) ln(1 - a), rearranged so that no logarithm is taken of a rounded 0.
    losses: Array = (np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))).sum(axis=0)
    return losses


def _sigmoid_cross_entropy_delta(z: Array, y: Array, out: Array) -> None:
    np.copyto(out, z)
    sigmoid(out)
    out -= y


def _sigmoid_quadratic_losses(z: Array, y: Array) -> Array:
    losses: Array = np.square(sigmoid(z.copy()) - y).sum(axis=0) / 2
    return losses


def _sigmoid_quadratic_delta(z: Array, y: Array, out: Array) -> None:
    a = sigmoid(z.copy())
    np.subtract(a, y, out=out)
    out *= a * (1 - a)


def _sigmoid_output(z: Array) -> Array:
    return sigmoid(z.copy())


OUTPUTS: dict[str, Callable[[Array], Array]] = {"softmax": softmax, "sigmoid": _sigmoid_output}

OBJECTIVES: dict[tuple[str, str], Objective] = {
    ("softmax", "cross_entropy"): Objective(
        _softmax_cross_entropy_losses, _softmax_cross_entropy_delta
    ),
    ("softmax", "quadratic"): Objective(_softmax_quadratic_losses, _softmax_quadratic_delta),
    ("sigmoid", "cross_entropy"): Objective(
        _sigmoid_cross_entropy_losses, _sigmoid_cross_entropy_delta
    ),
    ("sigmoid", "quadratic"): Objective(_sigmoid_quadratic_losses, _sigmoid_quadratic_delta),
}

LOSSES: tuple[str, ...] = ("cross_entropy", "quadratic")
