"""Image files as the network sees them: 28×28, grey, ink bright on dark."""

import errno
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.images import fields
from pipeline.images.decoding import UnreadableImageError, decode
from pipeline.images.evidence import Candidates, Judge
from pipeline.images.framing import SIDE
from pipeline.images.ink import Polarity
from pipeline.images.normalization import are_normalized

AUTO = "auto"
ALWAYS = "always"
NEVER = "never"
NORMALIZE = (AUTO, ALWAYS, NEVER)
"""Which images are normalized: those that are not like MNIST's, all, or none."""

Normalize = Literal["auto", "always", "never"]

INK = ("auto", "dark", "light")
"""Whether ink is darker or lighter than the paper: found out, or told."""

NOT_OPENED = "cannot be opened"
NO_FILE = "not a file"
LINK_OUT = "link out of the directory"
TOO_BIG = "more than 256 MB"
BLANK = "blank image"
OTHER_SIZE = "not 28×28 pixels"
NO_IMAGE = "no image"

MOST_BYTES = 256_000_000
"""Of a file that is read."""

# A pipe would be waited for without O_NONBLOCK.
_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC


Sheet = NDArray[np.uint8] | str
"""Grey pixels, shape (height, width), or the reason why there are none."""


def sheet(content: bytes | str) -> Sheet:
    """Decode the contents of an image file; a reason is returned unchanged."""
    if isinstance(content, str):
        return content
    try:
        return decode(content)
    except UnreadableImageError as error:
        return error.reason


@dataclass(frozen=True, slots=True)
class Reader:
    """How images are read."""

    normalize: Normalize = "auto"
    """Which are normalized: those unlike MNIST's, all, or none."""
    ink: Polarity = "auto"
    """Whether the ink is darker or lighter than the paper."""
    split: int | None = None
    """How many digits an image has that is to be cut into them; 0 if that is not known, None if
    images are not to be cut."""
    judge: Judge | None = field(default=None, compare=False)
    """Who is asked if an image can be read in several ways: the network."""
    keep_sheets: bool = False
    """Whether the images as they came are returned too."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Images as the network is to see them."""

    images: NDArray[np.uint8]
    """Those that can be shown to it, in order; shape (n, 28, 28)."""
    is_normalized: NDArray[np.bool_]
    """Which of them were normalized, shape (n,)."""
    reasons: dict[int, str]
    """Why the others cannot, by their places."""
    notes: dict[int, str]
    """What was removed or done, by their places; nothing for most."""
    sheets: Sequence[Sheet] = ()
    """All images as they came, or the reasons why there are none, if the reader keeps them."""


def as_seen(sheets: Iterable[Sheet], count: int, reader: Reader) -> Seen:
    """Return images as the network is to see them.

    Parameters
    ----------
    sheets : iterable of ndarray or str
        The images, or the reasons why there are none.
    count : int
        Maximum number of images.
    """
    images = np.empty((count, SIDE, SIDE), np.uint8)
    reasons: dict[int, str] = {}
    candidates = Candidates(reader.ink)
    places = []
    place = -1
    kept = list(sheets) if reader.keep_sheets else []
    for place, grey in enumerate(kept or sheets):
        if isinstance(grey, str):
            reasons[place] = grey
        elif grey.shape == (SIDE, SIDE):
            images[place] = grey
        elif reader.normalize == NEVER:
            reasons[place] = OTHER_SIZE
        else:
            candidates.add(grey)
            places.append(place)
    seen = _seen(images[: place + 1], reasons, reader, candidates, places)
    return replace(seen, sheets=kept) if kept else seen


def digits_as_seen(sheets: Iterable[Sheet], reader: Reader) -> tuple[Seen, list[int]]:
    """Return the digits of images as the network is to see them, and how many each image has.

    An image without a digit has one place, with the reason why.
    """
    parts: list[Sheet] = []
    numbers: list[int] = []
    for each in sheets:
        if isinstance(each, str):
            parts.append(each)
            numbers.append(0)
            continue
        digits = fields.split(each, reader.ink, reader.judge, reader.split or None)
        parts += digits or [BLANK]
        numbers.append(len(digits))
    # The digits that were cut out are light on dark.
    return as_seen(parts, len(parts), replace(reader, ink="light")), numbers


def pixels_as_seen(images: NDArray[np.uint8], reasons: Mapping[int, str], reader: Reader) -> Seen:
    """Do what `as_seen` does with images that are in one array already.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, 28, 28)
        It is not written to.
    reasons : mapping of int to str
        Why there is none in some places.
    """
    seen = _seen(images, dict(reasons), reader, Candidates(reader.ink), [])
    if not reader.keep_sheets:
        return seen
    return replace(seen, sheets=[reasons.get(place, image) for place, image in enumerate(images)])


def _seen(
    images: NDArray[np.uint8],
    reasons: dict[int, str],
    reader: Reader,
    candidates: Candidates,
    places: list[int],
) -> Seen:
    """Add the images of 28×28 that are not left alone to the candidates, and read them all.

    Parameters
    ----------
    places : list of int
        The index of each candidate in `images`.
    """
    readable = np.ones(len(images), bool)
    readable[list(reasons)] = False
    is_normalized = np.zeros(len(images), bool)
    notes: dict[int, str] = {}
    if reader.normalize != NEVER:
        is_left = are_normalized(images) if reader.normalize == AUTO else ~readable
        is_left[places] = True
        for place in np.flatnonzero(readable & ~is_left).tolist():
            candidates.add(images[place])
            places.append(place)
        if places:
            images = images.copy()
        is_normalized[places] = True
        for place, reading in zip(places, candidates.best(reader.judge), strict=True):
            if reading.image is None:
                reasons[place] = BLANK
                readable[place] = False
            else:
                images[place] = reading.image
                if reading.notes:
                    notes[place] = ", ".join(reading.notes)
    if reasons:
        images, is_normalized = images[readable], is_normalized[readable]
    return Seen(images, is_normalized, reasons, notes)


def read_bytes(path: str | bytes | Path, root: str | bytes | Path | None = None) -> bytes:
    """Return what a file holds, if it is a file of a size that an image may have.

    Parameters
    ----------
    root : path, optional
        The directory that links must not lead out of.

    Raises
    ------
    UnreadableImageError
    """
    try:
        descriptor = os.open(path, _FLAGS | os.O_NOFOLLOW)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise UnreadableImageError(NOT_OPENED) from None
        descriptor = _followed(path, root)
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableImageError(NO_FILE)
        if status.st_size > MOST_BYTES:
            raise UnreadableImageError(TOO_BIG)
        # One byte more than there are tells the end without another call.
        data = os.read(descriptor, status.st_size + 1)
        while len(data) < status.st_size and (more := os.read(descriptor, status.st_size)):
            data += more
        return data
    except OSError:
        raise UnreadableImageError(NOT_OPENED) from None
    finally:
        os.close(descriptor)


def read_head(path: str | Path, size: int) -> bytes:
    """Return the first bytes of a file, links followed; none if it is no file or unreadable."""
    try:
        descriptor = os.open(path, _FLAGS)
    except OSError:
        return b""
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return b""
        return os.read(descriptor, size)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _followed(path: str | bytes | Path, root: str | bytes | Path | None) -> int:
    """Open a file through a link that stays where images are looked for."""
    target = os.path.realpath(os.fsencode(path))
    if root is not None:
        top = os.path.join(os.path.realpath(os.fsencode(root)), b"")  # noqa: PTH118 - bytes
        if not target.startswith(top):
            raise UnreadableImageError(LINK_OUT)
    try:
        return os.open(target, _FLAGS)
    except OSError:
        raise UnreadableImageError(NOT_OPENED) from None
