"""The edges of an image: how strong they are in each direction, in each cell of a grid.

These are the gradient features of Liu, Nakashima, Sako and Fujisawa 2003 ("Handwritten digit
recognition: benchmarking of state-of-the-art techniques"), relatives of the histograms of oriented
gradients (Dalal and Triggs 2005). A stroke that is moved by a pixel, or a little thicker, changes
many pixels a lot and its edges little.

An image has as many of them as pixels: 8 directions, in cells of 4 rows and 2 columns.
"""

import math
import threading
from functools import lru_cache

import numpy as np

from nn.activations import Array

CELL = (4, 2)
"""Rows and columns of a cell."""

BETWEEN = ((0, 2), (0, 3), (1, 2), (1, 3))
"""The axes between which the last four directions lie."""

SOFTNESS = 0.04
"""What is added before the square root. Without it the root would be infinitely steep at 0, and
make something of rounding errors."""

# Standard deviation of the Gaussian that weighs the pixels around the centre of a cell, in cells.
_SIGMA = 0.4


def _mix() -> Array:
    mix = np.eye(8, dtype=np.float32)
    for between, axes in enumerate(BETWEEN, start=4):
        mix[list(axes), between] = -1
        mix[between, between] = math.sqrt(2)
    return mix


MIX = _mix()
"""What the four positive parts of a gradient, and the smaller of each two neighbours, are
multiplied by to give its parts in eight directions. The smaller part and as much of the greater one
are a vector between their axes. What is left of the greater one stays on its axis."""


def edges(x: Array) -> Array:
    """Return the edges of images, float32, shape (n, side * side), in [0, 1.9].

    They are ordered by direction, then by the row and column of the cell. A direction is that in
    which an image gets brighter: right, left, down, up, and then between right and down, right and
    up, left and down, left and up.

    Parameters
    ----------
    x : ndarray of float32, shape (n, side * side)
        In [0, 1]; 4 divides the side.
    """
    count, side = len(x), math.isqrt(x.shape[1])
    scratch = _scratch.arrays(count, side)
    # The images lie side by side, so that one matrix product does the rows of all.
    padded, found = scratch.padded, scratch.found
    padded[1:-1, :, 1:-1] = x.reshape(count, side, side).swapaxes(0, 1)
    # Sobel's operator: a difference along one axis, and the sum 1, 2, 1 along the other.
    pairs = padded[:-1] + padded[1:]
    smooth = pairs[:-1] + pairs[1:]
    to_right = smooth[:, :, 2:] - smooth[:, :, :-2]
    pairs = padded[:, :, :-1] + padded[:, :, 1:]
    smooth = pairs[:, :, :-1] + pairs[:, :, 1:]
    down = smooth[2:] - smooth[:-2]
    for first, change in ((0, to_right), (2, down)):
        np.maximum(change, 0, out=found[:, first])
        np.subtract(found[:, first], change, out=found[:, first + 1])
    for between, (one, other) in enumerate(BETWEEN, start=4):
        np.minimum(found[:, one], found[:, other], out=found[:, between])
    by_row, by_column = (cells(side, side // length) for length in CELL)
    np.matmul(by_row, found.reshape(side, -1), out=scratch.rows)
    by_cell = scratch.rows.reshape(-1, side) @ by_column.T
    mixed = MIX @ by_cell.reshape(len(by_row), len(MIX), -1)
    strength = mixed.reshape(*mixed.shape[:2], count, len(by_column))
    features = np.ascontiguousarray(strength.transpose(2, 1, 0, 3))
    # Rounding can make a difference negative.
    np.maximum(features, 0, out=features)
    features += np.float32(SOFTNESS)
    np.sqrt(features, out=features)
    features -= np.float32(math.sqrt(SOFTNESS))
    return features.reshape(count, -1)


@lru_cache
def cells(side: int, count: int) -> Array:
    """Return the weight of each pixel along an axis in each of its cells, shape (count, side)."""
    length = side / count
    centre = (np.arange(count) + 0.5) * length - 0.5
    distance = (np.arange(side) - centre[:, np.newaxis]) / (_SIGMA * length)
    weights = np.exp(-(distance**2) / 2) / (_SIGMA * length * math.sqrt(2 * math.pi))
    return weights.astype(np.float32)


class _Arrays:
    """Temporary arrays for a number of images of one size."""

    def __init__(self, count: int, side: int) -> None:
        self.padded = np.zeros((side + 2, count, side + 2), np.float32)
        """Its border stays 0."""
        self.found = np.empty((side, len(MIX), count, side), np.float32)
        self.rows = np.empty((side // CELL[0], self.found[0].size), np.float32)


class _Scratch(threading.local):
    """The temporary arrays of each thread.

    New ones would be new pages of the system each time, which takes as long as the computation.
    """

    def __init__(self) -> None:
        self._arrays: dict[tuple[int, int], _Arrays] = {}

    def arrays(self, count: int, side: int) -> _Arrays:
        """Return the arrays for so many images. Only those for the last number are kept."""
        key = (count, side)
        if key not in self._arrays:
            self._arrays = {key: _Arrays(count, side)}
        return self._arrays[key]


_scratch = _Scratch()
