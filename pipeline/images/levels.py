"""Brightness by histogram, where 256 counts stand for all pixels; and quantiles of other values."""

import math
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
"""Pixels, shape (height, width)."""

VALUES = np.arange(256, dtype=np.float64)
"""The levels that are counted."""


def uint8(pixels: cv2.typing.MatLike) -> Grey:
    """Return what OpenCV made of uint8 pixels as that; its types do not tell."""
    return pixels.astype(np.uint8, copy=False)


def histogram(grey: Grey, mask: Grey | None = None) -> NDArray[np.float64]:
    """Return how many pixels have each of the 256 levels; with a mask, those where it is not 0."""
    counts = cv2.calcHist([grey], [0], mask, [256], [0, 256])
    return counts.ravel().astype(np.float64)


def percentile(counts: NDArray[np.float64], share: float) -> int:
    """Return the lowest level that has this share of the pixels, in (0, 1], at or below it."""
    total = counts.cumsum()
    return int(np.searchsorted(total, share * total[-1]))


def quantile(values: NDArray[Any], share: float) -> float:
    """Return the lowest value that has this share of the values, in (0, 1], at or below it.

    `numpy.quantile` with the method ``inverted_cdf`` returns the same, in ten times the time for
    the few values of a coarse picture.
    """
    index = math.ceil(share * values.size) - 1
    return float(np.partition(values, index, axis=None)[index])
