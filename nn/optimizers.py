"""How a gradient becomes a step. Each optimizer works on any part of the parameters, in place.

Written as updates of the parameters ``w`` with the gradient ``g`` of the whole cost and the
learning rate ``r`` of this step. Coefficients are the usual ones: momentum 0.9; for Adam 0.9,
0.999 and 1e-8.
"""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from nn.activations import Array

_MOMENTUM = 0.9
_BETA_1, _BETA_2, _EPSILON = 0.9, 0.999, 1e-8

# An update passes over its vectors several times. A block of this many numbers stays in the
# core's own cache meanwhile; the vectors of a large network would not.
_BLOCK = 1 << 15


class Optimizer(NamedTuple):
    """A rule, and how many vectors shaped like the parameters it remembers."""

    update: Callable[[Array, Array, Sequence[Array], float, int], object]
    """Takes ``w``, ``g`` (which it may overwrite), what it remembers, ``r``, the step from 1."""
    memory: int


def _sgd(w: Array, g: Array, memory: Sequence[Array], rate: float, step: int) -> None:  # noqa: ARG001
    """``w -= r g``."""
    g *= rate
    w -= g


def _momentum(w: Array, g: Array, memory: Sequence[Array], rate: float, step: int) -> None:  # noqa: ARG001
    """``v = 0.9 v - r g; w += v`` (Nielsen, chapter 3)."""
    (v,) = memory
    v *= _MOMENTUM
    g *= rate
    v -= g
    w += v


def _nesterov(w: Array, g: Array, memory: Sequence[Array], rate: float, step: int) -> None:  # noqa: ARG001
    """``v = 0.9 v - r g; w += 0.9 v - r g`` (Sutskever et al. 2013, as Bengio et al. 2013)."""
    (v,) = memory
    v *= _MOMENTUM
    g *= rate
    v -= g
    w -= g
    w += _MOMENTUM * v


def _adam(w: Array, g: Array, memory: Sequence[Array], rate: float, step: int) -> None:
    """Kingma and Ba 2015, arXiv:1412.6980, with the efficient ordering of its section 2."""
    m, s = memory
    m *= _BETA_1
    m += (1 - _BETA_1) * g
    s *= _BETA_2
    g *= g
    g *= 1 - _BETA_2
    s += g
    correction = math.sqrt(1 - _BETA_2**step)
    np.sqrt(s, out=g)
    g += _EPSILON * correction
    np.divide(m, g, out=g)
    g *= rate * correction / (1 - _BETA_1**step)
    w -= g


OPTIMIZERS: dict[str, Optimizer] = {
    "sgd": Optimizer(_sgd, memory=0),
    "momentum": Optimizer(_momentum, memory=1),
    "nesterov": Optimizer(_nesterov, memory=1),
    "adam": Optimizer(_adam, memory=2),
}


def blocks(where: slice) -> list[slice]:
    """Return a range in parts that stay in cache."""
    return [
        slice(start, min(start + _BLOCK, where.stop))
        for start in range(where.start, where.stop, _BLOCK)
    ]
