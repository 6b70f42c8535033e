"""Reading image files as the network sees them: 28×28, grey, ink bright on dark."""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

SIDE = 28
"""Pixels along each edge of an image."""

SUFFIXES = frozenset({".png", ".jpg", ".jpeg"})
"""Of the files that are scored, in lower case."""


class UnreadableImageError(Exception):
    """A file cannot be scored; its text is the reason, one of a short list.

    ``cannot be opened``, ``not an image``, or ``W×H pixels, expected 28×28``.
    """


def read_image(path: Path) -> NDArray[np.uint8]:
    """Return the pixels of a PNG or JPEG file, shape ``(28, 28)``, colours made grey.

    Raises
    ------
    UnreadableImageError
    """
    try:
        encoded = np.fromfile(path, np.uint8)
    except OSError:
        raise UnreadableImageError("cannot be opened") from None
    pixels = cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE) if encoded.size else None
    if pixels is None:
        raise UnreadableImageError("not an image")
    height, width = pixels.shape
    if (height, width) != (SIDE, SIDE):
        raise UnreadableImageError(f"{width}×{height} pixels, expected {SIDE}×{SIDE}")
    return pixels.astype(np.uint8, copy=False)


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Return a grey PNG file of pixels, shape ``(height, width)``."""
    _, encoded = cv2.imencode(".png", pixels)
    return encoded.tobytes()
