"""Digits in a handwriting that drifts away from MNIST's: it leans, and its pen gets broader."""

import cv2
import numpy as np

SIDE = 28

# Degrees that digits lean by when they have drifted all the way, and how far single ones stray.
_LEAN, _STRAY = 40, 6


def drifted(image: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """A digit as it is written when this share of the way is gone, in [0, 1].

    Parameters
    ----------
    image : ndarray of uint8, shape (28, 28)
        0 is paper, 255 is ink.
    """
    angle = share * _LEAN + rng.normal(0, _STRAY)
    centre = ((SIDE - 1) / 2, (SIDE - 1) / 2)
    turned = cv2.warpAffine(
        image, cv2.getRotationMatrix2D(centre, angle, 1), (SIDE, SIDE), flags=cv2.INTER_LINEAR
    )
    broad = cv2.dilate(turned, np.ones((2, 2), np.uint8))
    return np.rint((1 - share) * turned + share * broad).astype(np.uint8)
