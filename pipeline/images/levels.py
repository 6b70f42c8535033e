"""Brightness by histogram: 256 counts stand for all pixels."""

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


def histogram(grey: Grey) -> NDArray[np.float64]:
    """Return how many pixels have each of the 256 levels."""
    counts = cv2.calcHist([grey], [0], None, [256], [0, 256])
    return counts.ravel().astype(np.float64)


def percentile(counts: NDArray[np.float64], share: float) -> int:
    """Return the lowest level that has this share of the pixels, in (0, 1], at or below it."""
    total = counts.cumsum()
    return int(np.searchsorted(total, share * total[-1]))
