"""Image files, in a directory of this machine or of an object store."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

from pipeline.images.pages import Pages, sheet_or_pages
from pipeline.images.reading import Reader
from pipeline.inputs.globbing import change_stamp
from pipeline.inputs.labels import FILE_NAME, UNKNOWN, LabelLookup, LabelTable, read_label_table
from pipeline.inputs.source import Batch, Row, batch_of, path_text
from pipeline.inputs.stores import open_store
from pipeline.progress import counted


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
    label_table: str = FILE_NAME
    """Name of the label table, if there is one."""

    def key_of(self, path: str, keys: Sequence[str]) -> str | None:
        """Return the file that a path is of: the file itself, a page, or a digit of either."""
        by_path = {path_text(self.prefix + key): key for key in keys}
        page, _, _ = path.rpartition("#")
        file, _, _ = page.rpartition("#")
        return by_path.get(path) or by_path.get(page) or by_path.get(file)

    def change_stamps(self, keys: Sequence[str]) -> Iterator[bytes]:
        """Yield the change stamp of each file, empty if it cannot be read."""
        store = open_store(self.store)
        for key in keys:
            try:
                yield change_stamp(store.status(f"{self.directory}/{key}"))
            except OSError:
                yield b""

    def batches(self, keys: Sequence[str], size: int, reader: Reader) -> Iterator[Batch]:
        """Read files in order, `size` images at a time: a file has one for each page."""
        rows = self._rows(keys, size)
        while (batch := batch_of(rows, size, reader)).paths:
            yield batch

    def _rows(self, keys: Sequence[str], size: int) -> Iterator[Row]:
        """Yield the pages of files, whose contents are fetched `size` files at a time."""
        store = open_store(self.store)
        label_of = _label_lookup(self).label_of
        for start in range(0, len(keys), size):
            names = keys[start : start + size]
            contents = store.contents(self.directory, names, confined=self.confined)
            for name, content in zip(names, counted(contents), strict=True):
                path, label = path_text(self.prefix + name), label_of(name)
                image = sheet_or_pages(content)
                if not isinstance(image, Pages):
                    yield Row(path, label, image)
                    continue
                for number, page in enumerate(image.sheets, 1):
                    of_page = label_of(f"{name}#{number}")
                    known = label if of_page == UNKNOWN else of_page
                    yield Row(f"{path}#{number}", known, page, number == 1)


def label_table(store: str, directory: str, name: str = FILE_NAME) -> tuple[LabelTable, str] | None:
    """Return a directory's label table and its SHA-256; None if it has no label table.

    Raises
    ------
    InputError
        If the table is invalid; the message names the line.
    """
    path = f"{directory}/{name}"
    content = _content(store, path)
    if content is None:
        return None
    return read_label_table(content, path), hashlib.sha256(content).hexdigest()


# A process reads one shard after another, mostly of the same directory. A table that has changed
# has another digest, which is part of the cache's key.
@lru_cache(maxsize=1)
def _label_lookup(files: ImageFiles) -> LabelLookup:
    path = f"{files.directory}/{files.label_table}"
    content = _content(files.store, path) if files.label_table_sha256 else None
    table = None if content is None else read_label_table(content, path).labels
    return LabelLookup(table, files.label_directories)


def _content(store: str, path: str) -> bytes | None:
    try:
        with open_store(store).open(path) as stream:
            return bytes(stream.read())
    except FileNotFoundError:
        return None
