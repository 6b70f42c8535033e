"""Image files as the network sees them: 28×28, grey, ink bright on dark."""

import errno
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.images.decoding import UnreadableImageError, decode
from pipeline.images.normalization import SIDE, BlankError, are_normalized, normalize

AUTO = "auto"
ALWAYS = "always"
NEVER = "never"
NORMALIZE = (AUTO, ALWAYS, NEVER)
"""Whether images are normalised: those that are not like MNIST's, all, or none."""

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
    """Return the pixels of what an image file holds; a reason stays what it is."""
    if isinstance(content, str):
        return content
    try:
        return decode(content)
    except UnreadableImageError as error:
        return error.reason


def as_seen(
    sheets: Iterable[Sheet], count: int, way: str = AUTO
) -> tuple[NDArray[np.uint8], dict[int, str]]:
    """Return images as the network is to see them.

    Parameters
    ----------
    sheets : iterable of ndarray or str
        The images, or the reasons why there are none.
    count : int
        How many there are.
    way : {"auto", "always", "never"}
        Which are normalised: those that are not like MNIST's, all, or none.

    Returns
    -------
    images : ndarray of uint8, shape (n, 28, 28)
        Those that can be shown to it, in order.
    reasons : dict of int to str
        Why the others cannot, by their places.
    """
    images = np.empty((count, SIDE, SIDE), np.uint8)
    others: dict[int, NDArray[np.uint8]] = {}
    reasons: dict[int, str] = {}
    for place, grey in enumerate(sheets):
        if isinstance(grey, str):
            reasons[place] = grey
        elif grey.shape == (SIDE, SIDE):
            images[place] = grey
        elif way == NEVER:
            reasons[place] = OTHER_SIZE
        else:
            others[place] = grey
    return pixels_as_seen(images, others, reasons, way)


def pixels_as_seen(
    images: NDArray[np.uint8],
    others: Mapping[int, NDArray[np.uint8]],
    reasons: Mapping[int, str],
    way: str,
) -> tuple[NDArray[np.uint8], dict[int, str]]:
    """Do what `as_seen` does with images that are in one array already.

    Parameters
    ----------
    images : ndarray of uint8, shape (n, 28, 28)
        It is not written to.
    others : mapping of int to ndarray
        Those of another size, by the places that are theirs.
    reasons : mapping of int to str
        Why there is none in other places.
    """
    readable = np.ones(len(images), bool)
    readable[list(reasons)] = False
    why_not = dict(reasons)
    if way != NEVER:
        is_left = are_normalized(images) if way == AUTO else np.zeros(len(images), bool)
        is_left[list(others)] = False
        places = np.flatnonzero(readable & ~is_left).tolist()
        if places:
            images = images.copy()
        for place in places:
            try:
                images[place] = normalize(others.get(place, images[place])).normalized
            except BlankError:
                why_not[place] = BLANK
                readable[place] = False
    return (images[readable] if why_not else images), why_not


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
