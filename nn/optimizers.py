"""How a gradient becomes a step.

The equations are updates of the parameters ``w`` with the gradient ``g`` of the whole cost and
the learning rate ``r`` of the step. Coefficients are the usual ones: momentum 0.9; for Adam 0.9,
0.999 and 1e-8.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import numpy as np
from numpy.typing import DTypeLike

from nn.activations import Array

_MOMENTUM = 0.9
_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-8

# An update passes over its vectors several times. A block of this many numbers stays in the
# core's own cache meanwhile; the vectors of a large network would not.
_BLOCK = 1 << 15


class Optimizer(ABC):
    """An update rule with its state.

    Parameters
    ----------
    w, g : ndarray, shape (n_parameters,)
        The parameters, which `update` changes in place, and their gradient, which it may
        overwrite.
    zeros : callable
        Allocates a vector of the state.

    Attributes
    ----------
    state : list of ndarray, shape (n_parameters,)
        What the rule carries from step to step, such as velocities.
    """

    _vectors: ClassVar[int] = 0
    """Number of vectors in the state."""

    def __init__(
        self, w: Array, g: Array, zeros: Callable[[int, DTypeLike], Array] = np.zeros
    ) -> None:
        self._w = w
        self._g = g
        self._step = 0
        self._rate = 0.0
        self.state = [zeros(len(w), w.dtype) for _ in range(self._vectors)]

    def start_step(self, number: int, learning_rate: float) -> None:
        """Start a step, the first of which has number 1."""
        self._step = number
        self._rate = learning_rate

    @abstractmethod
    def update(self, block: slice) -> None:
        """Take the step for a part of the parameters."""


class SGD(Optimizer):
    """``w -= r g``."""

    def update(self, block: slice) -> None:
        """Take the step for a part of the parameters."""
        w, g = self._w[block], self._g[block]
        g *= self._rate
        w -= g


class Momentum(Optimizer):
    """``v = 0.9 v - r g; w += v`` (Nielsen, chapter 3)."""

    _vectors = 1

    def update(self, block: slice) -> None:
        """Take the step for a part of the parameters."""
        w, g, v = self._w[block], self._g[block], self.state[0][block]
        v *= _MOMENTUM
        g *= self._rate
        v -= g
        w += v


class Nesterov(Optimizer):
    """``v = 0.9 v - r g; w += 0.9 v - r g`` (Sutskever et al. 2013, as Bengio et al. 2013)."""

    _vectors = 1

    def update(self, block: slice) -> None:
        """Take the step for a part of the parameters."""
        w, g, v = self._w[block], self._g[block], self.state[0][block]
        v *= _MOMENTUM
        g *= self._rate
        v -= g
        w -= g
        w += _MOMENTUM * v


class Adam(Optimizer):
    """Kingma and Ba 2015, arXiv:1412.6980, with the efficient ordering of its section 2."""

    _vectors = 2

    def update(self, block: slice) -> None:
        """Take the step for a part of the parameters."""
        w, g, m, s = self._w[block], self._g[block], self.state[0][block], self.state[1][block]
        m *= _BETA_1
        m += (1 - _BETA_1) * g
        s *= _BETA_2
        g *= g
        g *= 1 - _BETA_2
        s += g
        correction = math.sqrt(1 - _BETA_2**self._step)
        np.sqrt(s, out=g)
        g += _EPSILON * correction
        np.divide(m, g, out=g)
        g *= self._rate * correction / (1 - _BETA_1**self._step)
        w -= g


OPTIMIZERS: dict[str, type[Optimizer]] = {
    "sgd": SGD,
    "momentum": Momentum,
    "nesterov": Nesterov,
    "adam": Adam,
}


def blocks(part: slice) -> list[slice]:
    """Split a part of the parameters into blocks that stay in cache."""
    return [
        slice(start, min(start + _BLOCK, part.stop))
        for start in range(part.start, part.stop, _BLOCK)
    ]
