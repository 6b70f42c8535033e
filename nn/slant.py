"""Images without their slant: each row moved sideways, so that the mass stands upright."""

import math
import threading
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from nn.activations import Array

MAX_SLANT = 1.5
"""Slant that is taken away at most, in columns a row."""

MIN_VARIANCE = 1e-3
"""Smallest variance of the rows: that of an empty image, or of one with a single row, is 0."""


def deslanted(x: Array) -> Array:
    """Return images whose rows are moved so that their mass has no slant.

    Parameters
    ----------
    x : ndarray of float32, shape (n, side * side)
    """
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
    windows = sliding_window_view(_scratch.padded(x.reshape(count, side, side)), side + 1, axis=2)
    of_image = np.arange(count)[:, np.newaxis]
    near = windows[of_image, np.arange(side), left.astype(np.intp) + side]
    upright: Array = near[:, :, 1:] - near[:, :, :-1]
    upright *= share
    upright += near[:, :, :-1]
    return upright.reshape(count, -1)


class _Scratch(threading.local):
    """Temporary arrays of each thread, of which only the middle is ever written."""

    def __init__(self) -> None:
        self._arrays: dict[int, Array] = {}

    def padded(self, images: Array) -> Array:
        """Return images between empty ones, shape ``(count, side, 3 * side + 1)``."""
        count, side, _ = images.shape
        if len(self._arrays.get(side, ())) < count:
            self._arrays[side] = np.zeros((count, side, 3 * side + 1), np.float32)
        padded = self._arrays[side][:count]
        padded[:, :, side : 2 * side] = images
        return padded


_scratch = _Scratch()


@lru_cache
def _moments(side: int) -> Array:
    """Return what the pixels of an image are multiplied by, shape (side * side, 5).

    The sums are mass, row, column, row times column, and row squared, counted from the centre.
    """
    position = np.arange(side, dtype=np.float32) - np.float32((side - 1) / 2)
    row, column = np.meshgrid(position, position, indexing="ij")
    factors = np.stack([np.ones_like(row), row, column, row * column, row**2], axis=-1)
    return np.ascontiguousarray(factors.reshape(-1, 5))
