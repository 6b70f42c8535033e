"""Image files to grey pixels, or the reason why not.

Formats are those of OpenCV: PNG, JPEG, TIFF, BMP, GIF, WebP and AVIF; with the extra `formats`
HEIC and PDF too. Of several pages the first is decoded: `pages` decodes all. An image is turned as
its EXIF orientation says, colours become grey, 16 bits become 8, and what is transparent becomes
paper.
"""

import re
import struct
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.images import extras

MAX_PIXELS = 100_000_000
"""Maximum number of pixels of an image; `pipeline` tells it to OpenCV."""

Pixels = NDArray[Any]

_OF_OPENCV = (".avif", ".bmp", ".gif", ".jfif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")

SUFFIXES = frozenset((*_OF_OPENCV, ".heic", ".heif", ".pdf"))
"""Of the files that are taken for images, in lower case."""

EMPTY = "empty file"
NOT_AN_IMAGE = "not an image"
TRUNCATED = "truncated image"
TOO_LARGE = "more than 100 megapixels"

# OpenCV would tell the terminal about every damaged file; the reasons below tell the user.
cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)

GIF = b"GIF8"
PDF = b"%PDF-"
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""How files of the formats start that may have several pages."""

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8\xff"
_BMP = b"BM"
_WEBP = b"RIFF"

# How other files start. OpenCV would decode more, with more code that a hostile file can reach.
_STARTS = (_JPEG, GIF, *TIFF, _BMP, _WEBP)

# Sizes of the second header of a BMP file.
_BMP_HEADERS = frozenset((12, 40, 52, 56, 64, 108, 124))

# What a file with the box `ftyp` says it is.
_AVIF = frozenset((b"avif", b"avis"))
_HEIC = frozenset((b"heic", b"heim", b"heis", b"heix", b"hevc", b"hevx", b"mif1", b"msf1"))

# How a file of a format ends, if it is whole, and in how many of its last bytes to look for it.
_ENDS = {_JPEG: (b"\xff\xd9", 4096), GIF: (b"\x3b", 64)}

# Of a PNG file: how each part begins, with its length and its name.
_CHUNK = struct.Struct(">I4s")

# What libpng would inflate, to megabytes for each, and nobody asks for.
_INFLATED = frozenset((b"zTXt", b"iTXt", b"iCCP"))

# Of a JPEG file: programs write up to a dozen. Each is a pass over the whole image, however short.
_MOST_SCANS = 32
_SCAN = 0xDA
_NEXT_MARKER = re.compile(rb"\xff+([^\x00\xd0-\xd7\xff])")


class UnreadableImageError(Exception):
    """A file cannot be scored; its text is the reason, one of a short list.

    Attributes
    ----------
    reason : str
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def is_image(head: bytes) -> bool:
    """Return whether a file with these first bytes is an image of a format that is decoded."""
    if head.startswith(_BMP):
        # Texts may begin with "BM" too.
        return int.from_bytes(head[14:18], "little") in _BMP_HEADERS
    if head.startswith(_WEBP):
        return head[8:12] == b"WEBP"
    return head.startswith((_PNG, PDF, *_STARTS)) or _brand(head) in _AVIF | _HEIC


def _brand(data: bytes | bytearray) -> bytes:
    """Return what a file with the box `ftyp` says it is; empty if it has none."""
    return bytes(data[8:12]) if data[4:8] == b"ftyp" else b""


def decode(data: bytes | bytearray) -> NDArray[np.uint8]:
    """Return the pixels of an image file, shape ``(height, width)``.

    Raises
    ------
    UnreadableImageError
    """
    if not data:
        raise UnreadableImageError(EMPTY)
    # Only as grey a JPEG is turned as EXIF says; only unchanged the others show their alpha.
    flag = cv2.IMREAD_GRAYSCALE if data.startswith(_JPEG) else cv2.IMREAD_UNCHANGED
    if data.startswith(_PNG):
        data = _needed_of_png(data)
    elif data.startswith(_STARTS):
        _check_end(data)
    elif _brand(data) not in _AVIF:
        return _by_an_extra(bytes(data))
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    except cv2.error as error:
        reason = TOO_LARGE if "IO_MAX_IMAGE" in str(error) else NOT_AN_IMAGE
        raise UnreadableImageError(reason) from None
    if pixels is None:
        raise UnreadableImageError(NOT_AN_IMAGE)
    return to_grey(pixels)


def _check_end(data: bytes | bytearray) -> None:
    """Refuse a file without its end, and a JPEG of too many scans."""
    for start, (end, last) in _ENDS.items():
        # OpenCV fills the missing part of such a file with grey and says nothing.
        if data.startswith(start) and end not in data[-last:]:
            raise UnreadableImageError(TRUNCATED)
    # There may be more than that in all: of a video or other pictures behind this one.
    if (
        data.startswith(_JPEG)
        and data.count(b"\xff\xda") > _MOST_SCANS
        and _scans(data) > _MOST_SCANS
    ):
        raise UnreadableImageError(NOT_AN_IMAGE)


def to_grey(pixels: Pixels) -> NDArray[np.uint8]:
    """Return pixels as OpenCV decodes them as grey of 8 bits, shape (height, width)."""
    return _grey(_eight_bits(pixels))


def _by_an_extra(data: bytes) -> NDArray[np.uint8]:
    """Decode a HEIC image, or the first page of a PDF."""
    try:
        if data.startswith(PDF):
            pixels = next(extras.pdf_pages(data, MAX_PIXELS))
        elif _brand(data) in _HEIC:
            pixels = extras.heic(data, MAX_PIXELS)
        else:
            raise UnreadableImageError(NOT_AN_IMAGE)
    except extras.ExtraError as error:
        raise UnreadableImageError(str(error)) from None
    if pixels is None:
        raise UnreadableImageError(TOO_LARGE)
    return to_grey(pixels)


def _needed_of_png(data: bytes | bytearray) -> bytes | bytearray:
    """Return a PNG file that is whole, without what would be inflated for nobody.

    Of one that is not whole OpenCV fills the missing part with grey and says nothing; and it
    takes as much memory as any of its chunks claims to be long.
    """
    parts = []
    start = needed = len(_PNG)
    name = b""
    while name != b"IEND":
        end = start + _CHUNK.size
        if end <= len(data):
            length, name = _CHUNK.unpack_from(data, start)
            # Its content, and a check sum.
            end += length + 4
        if end > len(data):
            raise UnreadableImageError(TRUNCATED)
        if name in _INFLATED:
            parts.append(data[needed:start])
            needed = end
        start = end
    return b"".join([_PNG, *parts, data[needed:]]) if parts else data


def _scans(data: bytes | bytearray) -> int:
    """Count the scans of a JPEG file."""
    count = 0
    place = 2
    while found := _NEXT_MARKER.search(data, place):
        marker = found[1][0]
        if marker == 0xD9:  # the end
            break
        count += marker == _SCAN
        # A segment tells its length; what a scan's is followed by has no marker in it.
        place = found.end() + int.from_bytes(data[found.end() : found.end() + 2])
    return count


def _eight_bits(pixels: Pixels) -> NDArray[np.uint8]:
    if pixels.dtype == np.uint8:
        return pixels
    if pixels.dtype == np.uint16:
        # 65535 / 257 = 255
        return _plain(cv2.convertScaleAbs(pixels, alpha=1 / 257))
    # Of other numbers it is not known what is white: the largest.
    values = np.nan_to_num(pixels.astype(np.float64), posinf=0.0, neginf=0.0)
    # By their size first: the difference of two that are as large as can be is none.
    values /= float(np.abs(values).max()) or 1.0
    low, high = float(values.min()), float(values.max())
    return ((values - low) * (255 / ((high - low) or 1))).astype(np.uint8)


def _grey(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if pixels.ndim == 2:
        return pixels
    channels = pixels.shape[2]
    if channels == 4:
        grey = cv2.cvtColor(pixels, cv2.COLOR_BGRA2GRAY)
        return _on_paper(_plain(grey), _plain(cv2.extractChannel(pixels, 3)))
    if channels == 3:
        return _plain(cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY))
    grey = _plain(cv2.extractChannel(pixels, 0))
    return _on_paper(grey, _plain(cv2.extractChannel(pixels, 1))) if channels == 2 else grey


def _on_paper(grey: NDArray[np.uint8], alpha: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Put ink that is drawn on nothing on paper: dark ink on white, bright ink on black."""
    if cv2.minMaxLoc(alpha)[0] == 255:
        return grey
    on_black = cv2.multiply(grey, alpha, scale=1 / 255)
    ink = cv2.sumElems(on_black)[0] * 255 / (cv2.sumElems(alpha)[0] or 1)
    if ink >= 128:
        return _plain(on_black)
    # On white: the same, seen from there.
    return _plain(255 - cv2.multiply(255 - grey, alpha, scale=1 / 255))


def grey_of_colours(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the grey of an array, shape ``(height, width)``; transparent pixels become paper.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width) or (height, width, channels)
        One channel is grey, two are grey and alpha, three are RGB, four are RGB and alpha.
    """
    if pixels.ndim == 3 and pixels.shape[2] >= 3:
        # OpenCV's order is that of its files: blue first.
        pixels = pixels[:, :, [2, 1, 0, *range(3, pixels.shape[2])]]
    return _grey(np.ascontiguousarray(pixels))


def _plain(pixels: Pixels) -> NDArray[np.uint8]:
    return pixels.astype(np.uint8, copy=False)
