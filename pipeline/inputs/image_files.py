"""Image files, in a directory of this machine or of an object store."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pipeline.images.reading import Reader, sheet
from pipeline.inputs.labels import FILE_NAME, LabelLookup, LabelTable, read_label_table
from pipeline.inputs.source import UNKNOWN, Batch, batch_of, path_text
from pipeline.inputs.stores import open_store


@dataclass(frozen=True, slots=True)
class ImageFiles:
    """Image files below a directory; the key of each is its path relative to the directory."""

    store: str
    directory: str
    prefix: str
    """What precedes a file's relative path in the path that users know."""
    confined: bool
    """Whether files are refused if links lead them out of the directory."""
    label_table_sha256: str | None = None
    label_directories: bool = False
    """Whether the files are in directories whose names are labels."""

    def key_of(self, path: str, keys: Sequence[str]) -> str | None:
        """Return the file that a path is of; one of its digits if the file was split."""
        by_path = {path_text(self.prefix + key): key for key in keys}
        return by_path.get(path) or by_path.get(path.rpartition("#")[0])

    def batches(self, keys: Sequence[str], size: int, reader: Reader) -> Iterator[Batch]:
        """Read files in order, `size` at a time."""
        store = open_store(self.store)
        lookup = _label_lookup(self)
        for start in range(0, len(keys), size):
            names = keys[start : start + size]
            contents = store.contents(self.directory, names, confined=self.confined)
            labels = map(lookup.label_of, names)
            yield batch_of(
                [path_text(self.prefix + name) for name in names],
                map(sheet, contents),
                np.array([UNKNOWN if label is None else label for label in labels], np.int8),
                reader,
            )


def label_table(store: str, directory: str) -> tuple[LabelTable, str] | None:
    """Return a directory's label table and its SHA-256; None if it has no label table.

    Raises
    ------
    InputError
        If the table is invalid; the message names the line.
    """
    content = _table_content(store, directory)
    if content is None:
        return None
    return _read(content, directory), hashlib.sha256(content).hexdigest()


# A process reads one shard after another, mostly of the same directory. A table that has changed
# has another digest, which is part of the cache's key.
@lru_cache(maxsize=1)
def _label_lookup(files: ImageFiles) -> LabelLookup:
    content = _table_content(files.store, files.directory) if files.label_table_sha256 else None
    table = None if content is None else _read(content, files.directory).labels
    return LabelLookup(table, files.label_directories)


def _table_content(store: str, directory: str) -> bytes | None:
    try:
        with open_store(store).open(f"{directory}/{FILE_NAME}") as stream:
            return bytes(stream.read())
    except FileNotFoundError:
        return None


def _read(content: bytes, directory: str) -> LabelTable:
    return read_label_table(content, f"{directory}/{FILE_NAME}")
