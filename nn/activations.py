"""Activation functions of the hidden layers, each with its derivative.

A derivative is written in terms of the activation ``a = f(z)``, which the forward pass has
already computed: for all three functions that is both cheaper and exact.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


class Activation(NamedTuple):
    """A function of ``z`` and its derivative as a function of ``a``."""

    function: Callable[[Array], Array]
    derivative: Callable[[Array], Array]


def sigmoid(z: Array) -> Array:
    """Return ``1 / (1 + exp(-z))``, through tanh, which does not overflow."""
    half = z.dtype.type(0.5)
    return half * (np.tanh(half * z) + 1)


def _sigmoid_derivative(a: Array) -> Array:
    return a * (1 - a)


def _tanh(z: Array) -> Array:
    return np.tanh(z)


def _tanh_derivative(a: Array) -> Array:
    return 1 - a * a


def _relu(z: Array) -> Array:
    return np.maximum(z, 0)


def _relu_derivative(a: Array) -> Array:
    # At z = 0 this takes the left derivative, as is usual.
    return (a > 0).astype(a.dtype)


ACTIVATIONS: dict[str, Activation] = {
    "sigmoid": Activation(sigmoid, _sigmoid_derivative),
    "tanh": Activation(_tanh, _tanh_derivative),
    "relu": Activation(_relu, _relu_derivative),
}
