"""Output functions and, for each pair of output and loss, the loss and its gradient.

An objective takes the logits ``z`` of the output layer, shape ``(m, k)``, and one-hot targets
``y`` of the same shape. It returns the loss of each example, shape ``(m,)``, and
``delta = dC/dz``, shape ``(m, k)``. Everything starts from the logits: from activations that
have already rounded to 0 or 1 the logarithms of cross-entropy could not be recovered.
"""

from collections.abc import Callable

import numpy as np

from nn.activations import Array, sigmoid

Objective = Callable[[Array, Array], tuple[Array, Array]]


def softmax(z: Array) -> Array:
    """Return ``exp(z) / sum(exp(z))`` by row.

    The row's maximum is subtracted first. That changes nothing, since softmax is invariant
    under shifts, and keeps the largest exponent at 0, where exp cannot overflow.
    """
    a: Array = np.exp(z - z.max(axis=1, keepdims=True))
    a /= a.sum(axis=1, keepdims=True)
    return a


def _softmax_cross_entropy(z: Array, y: Array) -> tuple[Array, Array]:
    shifted = z - z.max(axis=1, keepdims=True)
    exponentials = np.exp(shifted)
    normalizer = exponentials.sum(axis=1, keepdims=True)
    loss = np.log(normalizer[:, 0]) - (y * shifted).sum(axis=1)
    return loss, exponentials / normalizer - y


def _softmax_quadratic(z: Array, y: Array) -> tuple[Array, Array]:
    a = softmax(z)
    error = a - y
    # Every logit moves every probability: da_i/dz_j = a_i (1[i=j] - a_j).
    delta = a * (error - (error * a).sum(axis=1, keepdims=True))
    return (error * error).sum(axis=1) / 2, delta


def _sigmoid_cross_entropy(z: Array, y: Array) -> tuple[Array, Array]:
    # -y ln a - (1 - y) ln(1 - a), rearranged so that no logarithm sees a rounded 0.
    loss = np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))
    return loss.sum(axis=1), sigmoid(z) - y


def _sigmoid_quadratic(z: Array, y: Array) -> tuple[Array, Array]:
    a = sigmoid(z)
    error = a - y
    return (error * error).sum(axis=1) / 2, error * a * (1 - a)


OUTPUTS: dict[str, Callable[[Array], Array]] = {"softmax": softmax, "sigmoid": sigmoid}

OBJECTIVES: dict[tuple[str, str], Objective] = {
    ("softmax", "cross_entropy"): _softmax_cross_entropy,
    ("softmax", "quadratic"): _softmax_quadratic,
    ("sigmoid", "cross_entropy"): _sigmoid_cross_entropy,
    ("sigmoid", "quadratic"): _sigmoid_quadratic,
}

LOSSES: tuple[str, ...] = ("cross_entropy", "quadratic")
