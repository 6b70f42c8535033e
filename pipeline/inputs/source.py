"""Image sources and their work items: what scoring knows of an input, whatever its type."""

import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pipeline.images.reading import Reader, Seen, Sheet, as_seen, digits_as_seen
from pipeline.inputs.labels import UNKNOWN

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


class UnusableError(Exception):
    """A file is not what it seems to be, or too large; the text is the reason."""


class NoImagesError(UnusableError):
    """A file is what it seems to be, and holds no images."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Images as the network sees them, and the reasons why others cannot be read."""

    paths: Sequence[str]
    """The path that users know each image by, including those that cannot be read."""
    images: NDArray[np.uint8]
    """The images that can be read, in order; shape (n, 28, 28)."""
    is_normalized: NDArray[np.bool_]
    """Which of them were normalized, shape (n,)."""
    reasons: dict[int, str]
    """Why the others cannot be read, by their indices in `paths`."""
    labels: NDArray[np.int8]
    """The label of each path, -1 if it is unknown; shape (len(paths),)."""
    notes: dict[int, str] = field(default_factory=dict)
    """What was removed from images or done to them, by their indices in `paths`."""
    images_read: int = 0
    """Number of files and rows that the batch was read from; fewer than paths if images are split
    or files have several pages."""
    sheets: Sequence[Sheet] = ()
    """The image of each path as it came, or the reason why there is none, if the reader keeps
    them."""


class Row(NamedTuple):
    """An image that becomes a row."""

    path: str
    """The path that users know it by."""
    label: int
    """-1 if it is unknown."""
    sheet: Sheet
    """The image, or the reason why there is none."""
    is_first: bool = True
    """Whether it is the first of its file: other pages may follow."""


def batch_of(rows: Iterator[Row], size: int, reader: Reader) -> Batch:
    """Return the next images as a batch; if the reader splits them, each digit has its own path.

    Parameters
    ----------
    rows : iterator of Row
        Each is decoded when it is asked for, and only the next `size` are.
    size : int
    reader : Reader
    """
    paths: list[str] = []
    labels: list[int] = []
    files = 0

    def sheets() -> Iterator[Sheet]:
        nonlocal files
        for path, label, sheet, is_first in islice(rows, size):
            paths.append(path)
            labels.append(label)
            files += is_first
            yield sheet

    if reader.split is None:
        seen = as_seen(sheets(), size, reader)
        return seen_as_batch(paths, seen, np.array(labels, np.int8), files)
    seen, numbers = digits_as_seen(sheets(), reader)
    split: list[str] = []
    for path, number in zip(paths, numbers, strict=True):
        split += [f"{path}#{index}" for index in range(1, number + 1)] or [path]
    # The label of a field is not that of each of its digits.
    counts = np.array(numbers, np.intp)
    known = np.where(counts > 1, UNKNOWN, labels)
    each = np.repeat(known, np.maximum(counts, 1)).astype(np.int8)
    return seen_as_batch(split, seen, each, files)


def seen_as_batch(paths: Sequence[str], seen: Seen, labels: NDArray[np.int8], files: int) -> Batch:
    """Return images that have been read from some files as a batch."""
    return Batch(
        paths,
        seen.images,
        seen.is_normalized,
        seen.reasons,
        labels,
        seen.notes,
        files,
        seen.sheets,
    )


def row_number(path: str, display: str) -> int | None:
    """Return which row of a file ``file#row`` is, or ``file#row#digit``; None if it is of another.

    Parameters
    ----------
    path : str
        The path of an image in a batch.
    display : str
        The path or address that users know the file by.
    """
    file = path_text(display) + "#"
    number = path.removeprefix(file).partition("#")[0]
    return int(number) if path.startswith(file) and number.isdigit() else None


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
    change_stamp: bytes | None
    """Changes if the content changes; None if `ImageFiles.change_stamps` tells it later."""
