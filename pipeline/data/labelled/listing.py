"""Listing and reading the images that a user has labels for."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.images.reading import Reader
from pipeline.inputs import finding
from pipeline.inputs.globbing import change_stamp
from pipeline.inputs.image_files import ImageFiles
from pipeline.inputs.labels import FILE_NAME, read_label_table
from pipeline.inputs.source import UNKNOWN, Batch, WorkItem
from pipeline.progress import report
from pipeline.provenance import code_version

_BATCH_SIZE = 1024

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
    """Labels by path, if the source is a label table itself."""

    @property
    def sha256(self) -> str:
        """SHA-256 of change stamps and labels, and of the code that reads the images."""
        digest = hashlib.sha256(f"{code_version()}\0{self.source}\0".encode())
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
    if not source.endswith(".csv"):
        return LabelledListing(source, list(finding.work_items([source])), None)
    with Path(source).open(newline="", encoding="utf-8") as stream:
        table = read_label_table(stream, source)
    root = Path(source).absolute().parent
    directory = ImageFiles("", str(root), "", confined=True)
    items = []
    for name in sorted(table):
        try:
            stamp = change_stamp(name, (root / name).stat())
        except OSError:
            stamp = b""
        items.append(WorkItem(directory, name, 1, stamp))
    return LabelledListing(source, items, table)


def read_labelled(listing: LabelledListing, errors: Counter[str]) -> Iterator[LabelledFile]:
    """Yield every image that has a label; count those that cannot be read in `errors`.

    Raises
    ------
    InputError
        If no image has a label.
    """
    count = 0
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
            f"{listing.source}: expected images in directories 0 to 9, or a {FILE_NAME} with the "
            "columns path and label, got no labelled image."
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
                labels = np.array([listing.label_table[name] for name in names], np.int8)
            done += len(batch.paths)
            report(_ACTIVITY, done, total)
            yield batch, labels
