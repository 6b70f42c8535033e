"""Image files to grey pixels, or the reason why not.

Formats are those of OpenCV: PNG, JPEG, TIFF, BMP, GIF (its first picture) and WebP. An image is
turned as its EXIF orientation says, colours become grey, 16 bits become 8, and what is
transparent becomes paper.
"""

import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Of one image. OpenCV holds the size in a file's header against this before it decodes, and
# reads the limit once, when it is loaded.
_MOST_PIXELS = 100_000_000
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(_MOST_PIXELS))

import cv2  # noqa: E402 - it reads the limit above

Pixels = NDArray[Any]

SUFFIXES = frozenset((".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"))
"""Of the files that are taken for images, in lower case."""

EMPTY = "empty file"
NOT_AN_IMAGE = "not an image"
TRUNCATED = "truncated image"
TOO_LARGE = "more than 100 megapixels"

# OpenCV would tell the terminal about every damaged file; the reasons below tell the user.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

_JPEG = b"\xff\xd8\xff"

# How a file of a format ends, if it is whole, and in how many of its last bytes to look for it.
_ENDS = {
    b"\x89PNG\r\n\x1a\n": (b"IEND", 64),
    _JPEG: (b"\xff\xd9", 4096),
    b"GIF8": (b"\x3b", 64),
}


class UnreadableImageError(Exception):
    """A file cannot be scored; its text is the reason, one of a short list.

    Attributes
    ----------
    reason : str
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def decode(data: bytes) -> NDArray[np.uint8]:
    """Return the pixels of an image file, shape ``(height, width)``.

    Raises
    ------
    UnreadableImageError
    """
    if not data:
        raise UnreadableImageError(EMPTY)
    for start, (end, last) in _ENDS.items():
        # OpenCV fills the missing part of such a file with grey and says nothing.
        if data.startswith(start) and end not in data[-last:]:
            raise UnreadableImageError(TRUNCATED)
    # Only as grey a JPEG is turned as EXIF says; only unchanged the others show their alpha.
    flag = cv2.IMREAD_GRAYSCALE if data.startswith(_JPEG) else cv2.IMREAD_UNCHANGED
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    except cv2.error as error:
        reason = TOO_LARGE if "IO_MAX_IMAGE" in str(error) else NOT_AN_IMAGE
        raise UnreadableImageError(reason) from None
    if pixels is None:
        raise UnreadableImageError(NOT_AN_IMAGE)
    return _grey(_eight_bits(pixels))


def _eight_bits(pixels: Pixels) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == np.uint16:
        return (pixels >> 8).astype(np.uint8)
    # Of other numbers it is not known what is white: the largest.
    values = np.nan_to_num(pixels.astype(np.float64), posinf=0.0, neginf=0.0)
    low, high = float(values.min()), float(values.max())
    return ((values - low) * (255 / ((high - low) or 1))).astype(np.uint8)


def _grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if pixels.ndim == 2:
        return pixels
    channels = pixels.shape[2]
    if channels == 4:
        grey = _plain(cv2.cvtColor(pixels, cv2.COLOR_BGRA2GRAY))
        return _on_paper(grey, pixels[..., 3])
    if channels == 3:
        return _plain(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY))
    grey = np.ascontiguousarray(pixels[..., 0])
    return _on_paper(grey, pixels[..., 1]) if channels == 2 else grey


def _on_paper(grey: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Put ink that is drawn on nothing on paper: dark ink on white, bright ink on black."""
    if alpha.min() == 255:
        return grey
    opacity = alpha.astype(np.float64) / 255
    ink = float((grey * opacity).sum() / (opacity.sum() or 1))
    paper = 255.0 if ink < 128 else 0.0
    return np.rint(grey * opacity + paper * (1 - opacity)).astype(np.uint8)


def _plain(pixels: Pixels) -> NDArray[np.uint8]:
    return pixels.astype(np.uint8, copy=False)
