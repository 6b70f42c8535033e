"""Activation functions of the hidden layers, each with its derivative.

A derivative is a function of the activation ``a = f(z)``, which the forward pass has already
computed. For all three functions that is exact, and cheaper.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]


class Activation(NamedTuple):
    """A function of ``z``, and its derivative as a function of ``a``."""

    apply: Callable[[Array], object]
    """Turns ``z`` into ``a``, in place."""
    derivative: Callable[[Array], np.ndarray]


def sigmoid(z: Array) -> Array:
    """Turn ``z`` into ``1 / (1 + exp(-z))`` in place, through tanh, which does not overflow."""
    z *= 0.5
    np.tanh(z, out=z)
    z += 1
    z *= 0.5
    return z


def _sigmoid_derivative(a: Array) -> Array:
    return a * (1 - a)


def _tanh(z: Array) -> Array:
    return np.tanh(z, out=z)


def _tanh_derivative(a: Array) -> Array:
    return 1 - a * a


def _relu(z: Array) -> Array:
    return np.maximum(z, 0, out=z)


def _relu_derivative(a: Array) -> NDArray[np.bool]:
    # At z = 0 this is the left derivative, as usual.
    return a > 0


ACTIVATIONS: dict[str, Activation] = {
    "sigmoid": Activation(sigmoid, _sigmoid_derivative),
    "tanh": Activation(_tanh, _tanh_derivative),
    "relu": Activation(_relu, _relu_derivative),
}
