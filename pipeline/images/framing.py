"""Ink placed by its centre of mass into 28×28."""

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 28
"""Pixels along each edge of an image as the network sees it."""

CENTRE = 14.0
"""Where the centre of mass is in MNIST's images, in pixels counted from 0."""


def placed(scaled: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return ink placed by its centre of mass.

    Parameters
    ----------
    scaled : ndarray of uint8, shape (height, width)
        At most 20×20.

    Returns
    -------
    ndarray of uint8, shape (28, 28)
    """
    height, width = scaled.shape
    found = np.zeros((SIDE, SIDE), np.uint8)
    y, x = _centre_of_mass(scaled)
    top = min(max(round(CENTRE - y), 0), SIDE - height)
    left = min(max(round(CENTRE - x), 0), SIDE - width)
    found[top : top + height, left : left + width] = scaled
    return found


def _centre_of_mass(image: NDArray[np.uint8]) -> tuple[float, float]:
    """Return row and column."""
    moments = cv2.moments(image)
    total = moments["m00"] or 1.0
    return moments["m01"] / total, moments["m10"] / total
