"""Views: normalizations of an image, of which each member of a committee sees another.

Networks that see an image in different ways make different mistakes, and their mean makes fewer
(Meier et al. 2011, "Better digit recognition with a committee of simple neural nets"; Cireşan et
al. 2012, arXiv:1202.2745). Rows stay rows: every view takes the pixels of a row from other columns,
with linear interpolation.
"""

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from nn.activations import Array

MAX_SLANT = 1.5
"""Slant that is taken away at most, in columns a row."""

MIN_VARIANCE = 1e-3
"""Smallest variance of the rows: that of an empty image, or of one with a single row, is 0."""

WIDTH = 4 / 7
"""Width of a narrow digit, as a fraction of the image: 16 of 28 pixels."""

INK = 0.12
"""Brightness from which a pixel is part of a digit."""

# Images that are resampled together: few enough for the cache of a core.
_BLOCK = 256

Columns = Callable[[Array], Array]
"""Returns from which column each pixel takes its value, shape (n, side, side), for images."""


def view(name: str, x: Array) -> Array:
    """Return images as a member of a committee sees them.

    Parameters
    ----------
    name : str
        One of `VIEWS`.
    x : ndarray of float32, shape (n, side * side)
        In [0, 1]; not changed.
    """
    columns = VIEWS[name]
    if columns is None:
        return x
    seen = np.empty_like(x)
    side = math.isqrt(x.shape[1])
    for start in range(0, len(x), _BLOCK):
        images = x[start : start + _BLOCK].reshape(-1, side, side)
        seen[start : start + _BLOCK] = _resampled(images, columns(images)).reshape(len(images), -1)
    return seen


def _deslanted(images: Array) -> Array:
    """Shear images so that their mass has no slant."""
    row = column = _position(images)
    mass = np.maximum(images.sum(axis=(1, 2)), np.finfo(np.float32).tiny)
    by_row, by_column = images.sum(axis=2), images.sum(axis=1)
    mean_row = by_row @ row / mass
    mean_column = by_column @ column / mass
    covariance = ((images @ column) @ row) / mass - mean_row * mean_column
    variance = by_row @ row**2 / mass - mean_row**2
    slant = covariance / np.maximum(variance, np.float32(MIN_VARIANCE))
    np.clip(slant, -MAX_SLANT, MAX_SLANT, out=slant)
    moved = slant[:, np.newaxis] * (row - mean_row[:, np.newaxis])
    columns: Array = _centre(images) + column + moved[:, :, np.newaxis]
    return columns


def _narrow(images: Array) -> Array:
    """Stretch or compress images to one width."""
    column = _position(images)
    side = images.shape[1]
    has_ink = images.max(axis=1) > INK
    has_ink[~has_ink.any(axis=1)] = True
    first = has_ink.argmax(axis=1)
    last = side - 1 - has_ink[:, ::-1].argmax(axis=1)
    zoom = ((last - first + 1) / (WIDTH * side)).astype(np.float32)
    middle = ((first + last) / 2).astype(np.float32)
    columns = middle[:, np.newaxis] + zoom[:, np.newaxis] * column
    return np.broadcast_to(columns[:, np.newaxis], images.shape)


PLAIN = "plain"

VIEWS: dict[str, Columns | None] = {PLAIN: None, "deslanted": _deslanted, "narrow": _narrow}
"""The views by name; a plain image stays as it is."""


def _centre(images: Array) -> np.float32:
    return np.float32((images.shape[1] - 1) / 2)


def _position(images: Array) -> Array:
    """Return the rows, or the columns, of an image, counted from its centre."""
    return np.arange(images.shape[1], dtype=np.float32) - _centre(images)


def _resampled(images: Array, columns: Array) -> Array:
    """Return images whose pixels come from other columns; outside an image everything is 0."""
    count, side, _ = images.shape
    padded = np.zeros((count, side, side + 2), np.float32)
    padded[:, :, 1:-1] = images
    # Just before the last column, so that every position has a next column.
    x = np.clip(columns + 1, 0, np.nextafter(np.float32(side + 1), np.float32(0)))
    left = np.floor(x)
    rows = np.arange(count * side, dtype=np.intp).reshape(count, side, 1) * (side + 2)
    index: NDArray[np.intp] = left.astype(np.intp) + rows
    pixels = padded.reshape(-1)
    at_left = pixels[index]
    resampled: Array = at_left + (x - left) * (pixels[index + 1] - at_left)
    return resampled
