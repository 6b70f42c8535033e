"""Image sources and their work items: what scoring knows of an input, whatever its type."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.images.reading import Reader, Seen, Sheet, as_seen, digits_as_seen
from pipeline.progress import counted

UNKNOWN = -1
"""The label of an image whose label is unknown."""


# What a byte that is not UTF-8 is shown as, and what a backslash before such a text is shown as.
_ESCAPES = re.compile(r"\\(?=x(?:5c|[89a-f][0-9a-f]))")


def path_text(path: str) -> str:
    r"""Return a path as valid UTF-8, which Parquet needs; two paths have two texts.

    A byte that is not UTF-8 becomes ``\xff``, and the backslash of a name that looks so already
    becomes ``\x5c``.
    """
    if "\\" in path:
        path = _ESCAPES.sub(r"\\x5c", path)
    return path if path.isascii() else os.fsencode(path).decode("utf-8", "backslashreplace")


@dataclass(frozen=True, slots=True)
class Batch:
    """Images as the network sees them, and the reasons why others cannot be read."""

    paths: Sequence[str]
    """The path that users know each image by, including those that cannot be read."""
    images: NDArray[np.uint8]
    """The images that can be read, in order; shape (n, 28, 28)."""
    reasons: dict[int, str]
    """Why the others cannot be read, by their indices in `paths`."""
    labels: NDArray[np.int8]
    """The label of each path, -1 if it is unknown; shape (len(paths),)."""
    notes: dict[int, str] = field(default_factory=dict)
    """What was removed from images or done to them, by their indices in `paths`."""
    images_read: int = 0
    """Number of images that the batch was read from; fewer than paths if images are split."""
    sheets: Sequence[Sheet] = ()
    """The image of each path as it came, or the reason why there is none, if the reader keeps
    them."""


def batch_of(
    paths: Sequence[str], sheets: Iterable[Sheet], labels: NDArray[np.int8], reader: Reader
) -> Batch:
    """Return images as a batch; if the reader splits them, each digit has a path of its own.

    Parameters
    ----------
    paths : sequence of str
    sheets : iterable of ndarray or str
        The images, or the reasons why there are none.
    labels : ndarray of int8, shape (len(paths),)
    reader : Reader
    """
    sheets = counted(sheets)
    if reader.split is None:
        return seen_as_batch(paths, as_seen(sheets, len(paths), reader), labels)
    seen, numbers = digits_as_seen(sheets, reader)
    split: list[str] = []
    for path, number in zip(paths, numbers, strict=True):
        split += [f"{path}#{index}" for index in range(1, number + 1)] or [path]
    # The label of a field is not that of each of its digits.
    known = np.where(np.array(numbers) > 1, UNKNOWN, labels)
    each = np.repeat(known, np.maximum(numbers, 1)).astype(np.int8)
    return Batch(split, seen.images, seen.reasons, each, seen.notes, len(paths), seen.sheets)


def seen_as_batch(paths: Sequence[str], seen: Seen, labels: NDArray[np.int8]) -> Batch:
    """Return images that have been read as a batch."""
    return Batch(paths, seen.images, seen.reasons, labels, seen.notes, len(paths), seen.sheets)


class ImageSource(Protocol):
    """Reads images: a frozen dataclass of strings and booleans.

    It can be stored as JSON, and a worker on another machine needs nothing else to read from it.
    """

    @property
    def label_table_sha256(self) -> str | None:
        """The SHA-256 of the label table beside the images, if there is one."""

    def key_of(self, path: str, keys: Sequence[Any]) -> Any | None:
        """Return which of some keys a path in a batch belongs to; None if it is none of them."""

    def batches(self, keys: Sequence[Any], size: int, reader: Reader) -> Iterator[Batch]:
        """Read the images of work items in order, `size` images at a time."""


class WorkItem(NamedTuple):
    """The smallest unit that one task reads."""

    source: ImageSource
    key: Any
    """What the source finds the images by; it can be stored as JSON."""
    images: int
    """Number of images."""
    change_stamp: bytes
    """Changes if the content changes."""
