"""Views: normalizations of an image, of which each member of a committee sees another.

Networks that see an image in different ways make different mistakes, and their mean makes fewer
(Meier et al. 2011, "Better digit recognition with a committee of simple neural nets"; Cireşan et
al. 2012, arXiv:1202.2745). Rows stay rows: every view takes the pixels of a row from other columns,
with linear interpolation.
"""

import math
import threading
from collections.abc import Callable
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from nn.activations import Array

MAX_SLANT = 1.5
"""Slant that is taken away at most, in columns a row."""

MIN_VARIANCE = 1e-3
"""Smallest variance of the rows: that of an empty image, or of one with a single row, is 0."""

WIDTH = 4 / 7
"""Width of a narrow digit, as a fraction of the image: 16 of 28 pixels."""

INK = 0.12
"""Brightness from which a pixel is part of a digit."""

# Images that are resampled together. Temporary arrays of more than 128 kB would be new pages of the
# system each time, which takes longer than what is done with them.
_BLOCK = 32


def view(name: str, x: Array) -> Array:
    """Return images as a member of a committee sees them.

    Parameters
    ----------
    name : str
        One of `VIEWS`.
    x : ndarray of float32, shape (n, side * side)
        In [0, 1]; not changed.
    """
    resampled = VIEWS[name]
    if resampled is None:
        return x
    seen = np.empty_like(x)
    for start in range(0, len(x), _BLOCK):
        rows = slice(start, start + _BLOCK)
        seen[rows] = resampled(x[rows])
    return seen


def _deslanted(x: Array) -> Array:
    """Return images whose rows are moved so that their mass has no slant."""
    count, side = len(x), math.isqrt(x.shape[1])
    row = np.arange(side, dtype=np.float32) - np.float32((side - 1) / 2)
    mass, by_row, by_column, by_both, by_square = np.ascontiguousarray((x @ _moments(side)).T)
    np.maximum(mass, np.finfo(np.float32).tiny, out=mass)
    mean_row = by_row / mass
    covariance = by_both / mass - mean_row * by_column / mass
    variance = by_square / mass - mean_row**2
    slant = covariance / np.maximum(variance, np.float32(MIN_VARIANCE))
    np.clip(slant, -MAX_SLANT, MAX_SLANT, out=slant)
    moved = slant[:, np.newaxis] * (row - mean_row[:, np.newaxis])
    # A row that leaves the image is empty, however far it goes.
    np.clip(moved, -side, np.float32(side) * np.float32(0.999), out=moved)
    left = np.floor(moved)
    share = (moved - left)[:, :, np.newaxis]
    padded = _scratch.zeros(side, 3 * side + 1)[:count]
    padded[:, :, side : 2 * side] = x.reshape(count, side, side)
    windows = sliding_window_view(padded, side + 1, axis=2)
    of_image = np.arange(count)[:, np.newaxis]
    near = windows[of_image, np.arange(side), left.astype(np.intp) + side]
    return _between(near[:, :, :-1], near[:, :, 1:], share).reshape(count, -1)


def _narrow(x: Array) -> Array:
    """Return images that are stretched or compressed to one width."""
    count, side = len(x), math.isqrt(x.shape[1])
    images = x.reshape(count, side, side)
    has_ink = images.max(axis=1) > INK
    has_ink[~has_ink.any(axis=1)] = True
    first = has_ink.argmax(axis=1)
    last = side - 1 - has_ink[:, ::-1].argmax(axis=1)
    zoom = ((last - first + 1) / (WIDTH * side)).astype(np.float32)
    middle = ((first + last) / 2).astype(np.float32)
    position = np.arange(side, dtype=np.float32) - np.float32((side - 1) / 2)
    columns = middle[:, np.newaxis] + zoom[:, np.newaxis] * position
    # The columns as rows, with an empty one before the first and two behind the last.
    padded = _scratch.zeros(side + 3, side)[:count]
    padded[:, 1:-2] = images.transpose(0, 2, 1)
    np.clip(columns + 1, 0, side + 1, out=columns)
    left = np.floor(columns)
    share = (columns - left)[:, :, np.newaxis]
    of_image, index = np.arange(count)[:, np.newaxis], left.astype(np.intp)
    resampled = _between(padded[of_image, index], padded[of_image, index + 1], share)
    return resampled.transpose(0, 2, 1).reshape(count, -1)


PLAIN = "plain"

VIEWS: dict[str, Callable[[Array], Array] | None] = {
    PLAIN: None,
    "deslanted": _deslanted,
    "narrow": _narrow,
}
"""The views by name; a plain image stays as it is."""


class _Scratch(threading.local):
    """Temporary arrays of each thread, of which only the middle is ever written."""

    def __init__(self) -> None:
        self._arrays: dict[tuple[int, int], Array] = {}

    def zeros(self, rows: int, columns: int) -> Array:
        """Return an array for a block of images, zero around the middle."""
        shape = (rows, columns)
        if shape not in self._arrays:
            self._arrays[shape] = np.zeros((_BLOCK, *shape), np.float32)
        return self._arrays[shape]


_scratch = _Scratch()


def _between(first: Array, second: Array, share: Array) -> Array:
    """Return the linear interpolation; a share of 0 is the first."""
    between: Array = second - first
    between *= share
    between += first
    return between


@lru_cache
def _moments(side: int) -> Array:
    """Return what the pixels of an image are multiplied by, shape (side * side, 5).

    The sums are mass, row, column, row times column, and row squared, counted from the centre.
    """
    position = np.arange(side, dtype=np.float32) - np.float32((side - 1) / 2)
    row, column = np.meshgrid(position, position, indexing="ij")
    factors = np.stack([np.ones_like(row), row, column, row * column, row**2], axis=-1)
    return np.ascontiguousarray(factors.reshape(-1, 5))
