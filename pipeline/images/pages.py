"""The pages of an image file: of a TIFF, an animated GIF or a PDF."""

import struct
from collections.abc import Iterator
from itertools import chain
from typing import NamedTuple

import cv2
import numpy as np

from pipeline.images import extras
from pipeline.images.decoding import (
    GIF,
    MAX_PIXELS,
    NOT_AN_IMAGE,
    PDF,
    TIFF,
    TOO_LARGE,
    TRUNCATED,
    UnreadableImageError,
    decode,
    to_grey,
)
from pipeline.images.reading import Sheet, sheet

MAX_PAGES = 10_000
"""Maximum number of pages of a file."""

TOO_MANY_PAGES = "more than 10,000 pages"

_STARTS = (GIF, PDF, *TIFF)

# How a block of a GIF begins: an image, or an extension.
_GIF_IMAGE = 0x2C
_GIF_BLOCKS = b"\x21\x2c"

# Of a TIFF page: the tag that says what it is, and the bits of a thumbnail and of a mask.
_SUBFILE_TYPE = 254
_NOT_A_PAGE = 0b101


class Pages(NamedTuple):
    """The pages of a file that has several."""

    sheets: Iterator[Sheet]
    """Each page or the reason why it cannot be read, decoded when it is asked for."""


def sheet_or_pages(content: bytes | str) -> Sheet | Pages:
    """Decode the contents of an image file: its only page, or all pages if there are several.

    A reason instead of contents is returned unchanged.
    """
    if isinstance(content, str) or not content.startswith(_STARTS):
        return sheet(content)
    if content.startswith(PDF):
        return _pdf(content)
    if content.startswith(GIF):
        return _gif(content) or sheet(content)
    offsets = list(_tiff_pages(content))
    return Pages(_tiff(content, offsets)) if len(offsets) > 1 else sheet(content)


def _pdf(content: bytes) -> Sheet | Pages:
    pages = _pdf_sheets(content)
    first, second = next(pages, NOT_AN_IMAGE), next(pages, None)
    return first if second is None else Pages(chain([first, second], pages))


def _pdf_sheets(content: bytes) -> Iterator[Sheet]:
    try:
        for number, page in enumerate(extras.pdf_pages(content, MAX_PIXELS)):
            if number == MAX_PAGES:
                yield TOO_MANY_PAGES
                return
            yield TOO_LARGE if page is None else page
    except extras.ExtraError as error:
        yield str(error)


def _gif(content: bytes) -> Pages | None:
    """Return the frames of a GIF; None if it has one, or is damaged."""
    frames = _gif_frames(content)
    if frames < 2:
        return None
    width, height = struct.unpack_from("<2H", content, 6)
    # OpenCV decodes all frames at once.
    if frames * width * height > MAX_PIXELS:
        return Pages(iter([TOO_LARGE]))
    if frames > MAX_PAGES:
        return Pages(iter([TOO_MANY_PAGES]))
    try:
        is_whole, animation = cv2.imdecodeanimation(np.frombuffer(content, np.uint8))
    except cv2.error:
        return None
    if not is_whole or len(animation.frames) < 2:
        return None
    return Pages(to_grey(frame) for frame in animation.frames)


def _gif_frames(content: bytes) -> int:
    """Count the images of a GIF by its blocks; 0 if it is not whole."""
    frames = 0
    try:
        position = 13 + _colors(content[10])
        while (block := content[position]) in _GIF_BLOCKS:
            if block == _GIF_IMAGE:
                frames += 1
                position += 11 + _colors(content[position + 9])
            else:
                position += 2
            # Sub-blocks with their lengths, and an empty one at the end.
            while length := content[position]:
                position += 1 + length
            position += 1
    except IndexError:
        return 0
    return frames


def _colors(flags: int) -> int:
    """Return the number of bytes of a color table."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


class _Layout(NamedTuple):
    """How a TIFF file stores numbers."""

    order: str
    """Byte order, as in `struct`."""
    pointer: str
    """The format of an offset."""
    entries: str
    """The format of the number of a page's tags."""
    tag_size: int
    value: int
    """Where in a tag its value is."""
    header: int
    """Where in the file the offset of the first page is."""


def _layout(content: bytes) -> _Layout:
    order = ">" if content.startswith(b"M") else "<"
    if content[2:4] in (b"+\0", b"\0+"):
        return _Layout(order, "Q", "Q", tag_size=20, value=12, header=8)
    return _Layout(order, "I", "H", tag_size=12, value=8, header=4)


def _tiff(content: bytes, offsets: list[int]) -> Iterator[Sheet]:
    """Decode each page: OpenCV reads the first, so each in turn becomes the first."""
    data = bytearray(content)
    layout = _layout(content)
    for offset in offsets[:MAX_PAGES]:
        struct.pack_into(layout.order + layout.pointer, data, layout.header, offset)
        try:
            yield decode(data) if offset < len(data) else TRUNCATED
        except UnreadableImageError as error:
            yield error.reason
    if len(offsets) > MAX_PAGES:
        yield TOO_MANY_PAGES


def _tiff_pages(content: bytes) -> Iterator[int]:
    """Yield where the pages of a TIFF begin, without thumbnails and masks behind the first page.

    The last may be beyond the end of a file that was cut.
    """
    layout = _layout(content)
    pointer, entries = (
        struct.Struct(layout.order + each) for each in (layout.pointer, layout.entries)
    )
    seen: set[int] = set()
    try:
        (offset,) = pointer.unpack_from(content, layout.header)
        while offset and offset not in seen and len(seen) <= MAX_PAGES:
            seen.add(offset)
            if offset >= len(content):
                yield offset
                return
            (count,) = entries.unpack_from(content, offset)
            first = offset + entries.size
            tags = range(first, first + count * layout.tag_size, layout.tag_size)
            if len(seen) == 1 or not _subfile_type(content, tags, layout) & _NOT_A_PAGE:
                yield offset
            (offset,) = pointer.unpack_from(content, tags.stop)
    except struct.error:
        return


def _subfile_type(content: bytes, tags: range, layout: _Layout) -> int:
    """Return what a page says of itself; 0 if nothing, as most pages do."""
    for position in tags:
        (tag,) = struct.unpack_from(f"{layout.order}H", content, position)
        if tag == _SUBFILE_TYPE:
            value: int = struct.unpack_from(f"{layout.order}I", content, position + layout.value)[0]
            return value
        if tag > _SUBFILE_TYPE:  # they are in ascending order
            break
    return 0
