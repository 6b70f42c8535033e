"""Images on the pages. Each is encoded anew as PNG, and none is served as it came."""

import base64

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.images.encoding import png
from pipeline.images.framing import SIDE


def digit_uri(pixels: bytes | NDArray[np.uint8]) -> str:
    """Return an image as the network sees it, dark on white, as a ``data:`` URI.

    Parameters
    ----------
    pixels : bytes or ndarray of uint8
        784 values: 0 is paper, 255 is ink.
    """
    ink = np.frombuffer(pixels, np.uint8) if isinstance(pixels, bytes) else pixels
    return grey_uri(255 - ink.reshape(SIDE, SIDE))


def grey_uri(grey: NDArray[np.uint8]) -> str:
    """Return a grey image, shape ``(height, width)``, as a ``data:`` URI."""
    return f"data:image/png;base64,{base64.b64encode(png(grey)).decode()}"


def thumbnail_uri(grey: NDArray[np.uint8], side: int) -> str:
    """Return a grey image, made no larger than `side` pixels, as a ``data:`` URI."""
    return grey_uri(shrunk(grey, side))


def shrunk(grey: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Return a grey image, made no larger than `side` pixels."""
    scale = side / max(grey.shape)
    if scale >= 1:
        return grey
    height, width = (max(1, round(scale * length)) for length in grey.shape)
    return cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA).astype(np.uint8)
