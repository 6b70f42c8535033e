"""Listing the images that a user has labels for, in shards on disk."""

import hashlib
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from unicodedata import normalize

from pipeline.inputs import finding, shards
from pipeline.inputs.csv_rows import has_pixel_columns
from pipeline.inputs.globbing import FileType, change_stamp
from pipeline.inputs.image_files import ImageFiles, label_table
from pipeline.inputs.labels import LabelTable
from pipeline.inputs.selection import Labels, ListingNotes, Selection
from pipeline.inputs.source import WorkItem
from pipeline.inputs.stores import Location, Store, locate, open_store
from pipeline.provenance import code_version

_log = logging.getLogger(__name__)

# Images of a shard: what a process reads before it takes the next.
_SHARD_SIZE = 5_000

# The spellings of accented letters in a file's name: a table has one of them, the disk the other.
_FORMS: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")


@dataclass(frozen=True, slots=True)
class LabelledListing:
    """The images of a source, to be read."""

    source: str
    labels: Labels
    directory: Path
    """Of the shards."""
    listing: shards.Listing
    missing: int
    """Number of labels beside the images that name none of them."""

    def sha256(self) -> str:
        """Return the SHA-256 of images and labels as they are now, and of the code that reads."""
        digest = hashlib.sha256(os.fsencode(f"{code_version()}\0{self.source}\0{self.labels}"))
        for shard in range(len(self.listing.sizes)):
            digest.update(shards.fingerprint(self.directory, shard).encode())
        return digest.hexdigest()


def list_labelled(source: str, labels: Labels, directory: Path) -> LabelledListing:
    """List the images of a source that scoring can read, or those that a label table names.

    Parameters
    ----------
    source : str
    labels : {"auto", "folders"}
    directory : Path
        Gets the shards.

    Raises
    ------
    InputError
        If there are no images, or the label table is invalid.
    """
    notes = ListingNotes()
    location = locate(source)
    if _is_label_table(location):
        items = _of_table(location)
    else:
        items = finding.work_items([source], Selection(labels=labels), notes)
    listing = shards.write(items, directory, _SHARD_SIZE)
    notes.warn_about_labels()
    return LabelledListing(source, labels, directory, listing, notes.unmatched_labels)


def count_images(source: str, labels: Labels) -> int:
    """Return how many files and rows a source has, with a label or without.

    Raises
    ------
    InputError
        If there are none, or the label table is invalid.
    """
    with tempfile.TemporaryDirectory() as directory:
        return list_labelled(source, labels, Path(directory) / "shards").listing.files


def _is_label_table(location: Location) -> bool:
    """Return whether a source is a table of labels, and not one of pixels."""
    if not location.path.lower().endswith(".csv"):
        return False
    if open_store(location.store).file_type(location.path) is not FileType.FILE:
        return False
    return not has_pixel_columns(location.store, location.path)


def _of_table(location: Location) -> Iterator[WorkItem]:
    """Yield the files that a label table names."""
    store = open_store(location.store)
    root, _, name = location.path.rpartition("/")
    table, sha256 = label_table(location.store, root, name) or (LabelTable({}, 0), None)
    if table.unlabelled:
        _log.warning("%s: %s paths have no label.", location.display, f"{table.unlabelled:,}")
    prefix = f"{location.display.rpartition('/')[0]}/" if location.store else ""
    directory = ImageFiles(
        location.store,
        root,
        prefix,
        confined=True,
        label_table_sha256=sha256,
        label_table=name,
    )
    # The pages of a file are read together.
    for path in dict.fromkeys(map(_file_of, sorted(table.labels))):
        yield _work_item(store, directory, path)


def _file_of(path: str) -> str:
    """Return the path of the file that a path, perhaps of a page, is of."""
    file, mark, page = path.rpartition("#")
    return file if mark and page.isdecimal() else path


def _work_item(store: Store, directory: ImageFiles, path: str) -> WorkItem:
    """Return the image that a label table names, which may be missing."""
    for form in _FORMS:
        name = normalize(form, path)
        with suppress(OSError):
            status = store.status(f"{directory.directory}/{name}")
            return WorkItem(directory, name, 1, change_stamp(status))
    return WorkItem(directory, path, 1, b"")
