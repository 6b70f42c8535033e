"""MNIST images as a scanner would deliver them."""

import cv2
import numpy as np
from numpy.typing import NDArray

_JPEG_QUALITY = 70


def scan(image: NDArray[np.uint8], rng: np.random.Generator) -> bytes:
    """Return a JPEG file: dark ink on a light sheet, under uneven light.

    The digit is 4 to 12 times larger, turned by 5 degrees at most, and somewhere on a sheet that
    is larger still; noise and a gradient of the lighting come on top.

    Parameters
    ----------
    image : ndarray of uint8, shape (28, 28)
    """
    factor = rng.uniform(4, 12)
    side = round(28 * factor)
    height, width = (round(side * rng.uniform(1.1, 1.8)) for _ in range(2))
    turn = cv2.getRotationMatrix2D((13.5, 13.5), rng.uniform(-5, 5), factor)
    # From the middle of the image to a place where all of it is on the sheet.
    turn[0, 2] += rng.uniform(side / 2, width - side / 2) - 13.5
    turn[1, 2] += rng.uniform(side / 2, height - side / 2) - 13.5
    ink = cv2.warpAffine(image, turn, (width, height), flags=cv2.INTER_CUBIC) / 255
    paper, darkness = rng.uniform(170, 245), rng.uniform(0.6, 0.95)
    y, x = np.mgrid[-0.5 : 0.5 : height * 1j, -0.5 : 0.5 : width * 1j]
    angle = rng.uniform(0, 2 * np.pi)
    light = 1 - rng.uniform(0, 0.4) * (0.5 + np.cos(angle) * x / 1.5 + np.sin(angle) * y / 1.5)
    sheet = paper * light * (1 - darkness * np.clip(ink, 0, 1))
    sheet += rng.normal(0, rng.uniform(1, 8), sheet.shape)
    pixels = np.clip(np.rint(sheet), 0, 255).astype(np.uint8)
    _, encoded = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
    return encoded.tobytes()
