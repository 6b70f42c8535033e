"""Listing and reading the images that a user has labels for."""

import hashlib
import json
import logging
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Literal, NamedTuple
from unicodedata import normalize

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.images.reading import NOT_OPENED, Reader
from pipeline.inputs import finding
from pipeline.inputs.globbing import change_stamp
from pipeline.inputs.image_files import ImageFiles, label_table
from pipeline.inputs.labels import FILE_NAME, path_key, read_label_table
from pipeline.inputs.source import UNKNOWN, Batch, WorkItem
from pipeline.inputs.stores import FileType, Store, locate, open_store
from pipeline.progress import report
from pipeline.provenance import code_version

_log = logging.getLogger(__name__)

_BATCH_SIZE = 1024

# The spellings of accented letters in a file's name: a table has one of them, the disk the other.
_FORMS: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")

_ACTIVITY = "Read labelled images"


class LabelledFile(NamedTuple):
    """An image with a label."""

    path: str
    label: int
    pixels: bytes
    """784 bytes, row by row, normalized."""


@dataclass(frozen=True, slots=True)
class LabelledListing:
    """The images of a source, to be read."""

    source: str
    items: list[WorkItem]
    label_table: Mapping[str, int] | None
    """Labels by path, as `path_key` returns it, if the source is a label table itself."""
    missing: int = 0
    """Number of labels beside the images that name none of them."""

    @property
    def sha256(self) -> str:
        """SHA-256 of change stamps and labels, and of the code that reads the images."""
        digest = hashlib.sha256(os.fsencode(f"{code_version()}\0{self.source}\0"))
        for table in sorted({item.source.label_table_sha256 or "" for item in self.items}):
            digest.update(table.encode())
        digest.update(json.dumps(self.label_table, sort_keys=True).encode())
        digest.update(b"\0".join([item.change_stamp for item in self.items]))
        return digest.hexdigest()


def list_labelled(source: str) -> LabelledListing:
    """List the images of a source that scoring can read, or those that a label table names.

    Raises
    ------
    InputError
        If there are no images, or the label table is invalid.
    """
    location = locate(source)
    store = open_store(location.store)
    is_table = location.path.lower().endswith(".csv")
    if not is_table or store.file_type(location.path) is not FileType.FILE:
        return _of_directory(source)
    with store.open(location.path) as stream:
        table = read_label_table(bytes(stream.read()), location.display)
    if table.unlabelled:
        _log.warning("%s: %s paths have no label.", location.display, f"{table.unlabelled:,}")
    root = location.path.rpartition("/")[0]
    prefix = f"{location.display.rpartition('/')[0]}/" if location.store else ""
    directory = ImageFiles(location.store, root, prefix, confined=True)
    items = [_work_item(store, directory, path) for path in sorted(table.labels)]
    return LabelledListing(source, items, table.labels)


def _of_directory(source: str) -> LabelledListing:
    """List the images of a source that has its labels beside the images or in them."""
    location = locate(source)
    items = list(finding.work_items([source]))
    table = None
    if any(item.source.label_table_sha256 for item in items):
        table = label_table(location.store, location.path)
    missing = set(table[0].labels if table else ()) - {path_key(str(item.key)) for item in items}
    return LabelledListing(source, items, None, missing=len(missing))


def _work_item(store: Store, directory: ImageFiles, path: str) -> WorkItem:
    """Return the image that a label table names, which may be missing."""
    for form in _FORMS:
        name = normalize(form, path)
        with suppress(OSError):
            status = store.status(f"{directory.directory}/{name}")
            return WorkItem(directory, name, 1, change_stamp(name, status))
    return WorkItem(directory, path, 1, b"")


def read_labelled(listing: LabelledListing, errors: Counter[str]) -> Iterator[LabelledFile]:
    """Yield every image that has a label; count those that cannot be read in `errors`.

    Raises
    ------
    InputError
        If no image has a label.
    """
    count = listing.missing
    if listing.missing:
        errors[NOT_OPENED] += listing.missing
    for batch, labels in _batches(listing):
        has_label = labels != UNKNOWN
        count += int(np.count_nonzero(has_label))
        errors.update(reason for index, reason in batch.reasons.items() if has_label[index])
        readable = (index for index in range(len(labels)) if index not in batch.reasons)
        for index, image in zip(readable, batch.images, strict=True):
            if has_label[index]:
                yield LabelledFile(batch.paths[index], int(labels[index]), image.tobytes())
    if not count:
        raise InputError(
            f"{listing.source}: expected images in directories 0 to 9 with no other beside them, "
            f"or a {FILE_NAME} with the columns path and label, got no labelled image."
        )


def _batches(listing: LabelledListing) -> Iterator[tuple[Batch, NDArray[np.int8]]]:
    """Yield batches of images with their labels."""
    done, total = 0, sum(item.images for item in listing.items)
    for source, items in groupby(listing.items, key=attrgetter("source")):
        keys = [item.key for item in items]
        for batch in source.batches(keys, _BATCH_SIZE, Reader()):
            labels = batch.labels
            if listing.label_table is not None:
                # The listing has one source, and each of its work items is one image.
                names = keys[done : done + len(batch.paths)]
                labels = np.array([listing.label_table[path_key(name)] for name in names], np.int8)
            done += len(batch.paths)
            report(_ACTIVITY, done, total)
            yield batch, labels
