"""Brightness by histogram: 256 counts stand for all pixels."""

import cv2
import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.uint8]
Histogram = NDArray[np.float64]

VALUES = np.arange(256, dtype=np.float64)


def histogram(grey: Grey) -> Histogram:
    """Return how many pixels have each of the 256 levels."""
    return cv2.calcHist([grey], [0], None, [256], [0, 256]).ravel().astype(np.float64)


def percentile(counts: Histogram, share: float) -> int:
    """Return the lowest level that has this share of the pixels, in [0, 1], at or below it."""
    total = counts.cumsum()
    return int(np.searchsorted(total, share * total[-1]))
