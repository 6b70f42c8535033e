"""Image files, in a directory of this machine or of an object store."""

import hashlib
import io
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pipeline.images.reading import Reader, as_seen, sheet
from pipeline.inputs.labels import FILE_NAME, Labels, read_labels
from pipeline.inputs.source import UNKNOWN, Batch
from pipeline.inputs.stores import open_store


@dataclass(frozen=True, slots=True)
class ImageFiles:
    """Files below a directory; the key of each is its name there."""

    store: str
    directory: str
    prefix: str
    """What stands before the name of a file in the path that users know."""
    confined: bool
    """Whether links must not lead out of the directory."""
    labels: str | None = None

    def batches(self, keys: Sequence[str], size: int, reader: Reader) -> Iterator[Batch]:
        """Read files, so many at once."""
        store = open_store(self.store)
        labels = _labels(self)
        for start in range(0, len(keys), size):
            names = keys[start : start + size]
            contents = store.contents(self.directory, names, confined=self.confined)
            seen = as_seen(map(sheet, contents), len(names), reader)
            known = (labels.of(name) for name in names)
            yield Batch(
                [text(self.prefix + name) for name in names],
                seen.images,
                seen.reasons,
                np.array([UNKNOWN if label is None else label for label in known], np.int8),
                seen.notes,
            )


def text(path: str) -> str:
    """Return a path as Parquet can hold it: its text is UTF-8, and a name need not be."""
    return path if path.isascii() else os.fsencode(path).decode("utf-8", "backslashreplace")


def digest_of_labels(store: str, directory: str) -> str | None:
    """Return the SHA-256 of the table of labels in a directory, if it has one.

    Raises
    ------
    InputError
        Where the file is no such table; it names the line.
    """
    data = _table(store, directory)
    if data is None:
        return None
    _read(data, directory)
    return hashlib.sha256(data).hexdigest()


# A process reads shard after shard, mostly of one directory. A table that has changed has another
# digest, which is part of what is asked for.
@lru_cache(maxsize=1)
def _labels(files: ImageFiles) -> Labels:
    data = _table(files.store, files.directory) if files.labels else None
    return Labels(None) if data is None else _read(data, files.directory)


def _table(store: str, directory: str) -> bytes | None:
    try:
        with open_store(store).open(f"{directory}/{FILE_NAME}") as stream:
            return bytes(stream.read())
    except FileNotFoundError:
        return None


def _read(data: bytes, directory: str) -> Labels:
    lines = io.TextIOWrapper(io.BytesIO(data), encoding="utf-8", newline="")
    return read_labels(lines, f"{directory}/{FILE_NAME}")
