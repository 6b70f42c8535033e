"""Shards: the listed images in groups of a limited size, stored on disk as JSON.

The list need not fit in memory. Each shard is a JSON file of image sources and, for each, the keys
of its work items: a worker needs nothing else to read the images.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from pipeline.inputs.array_rows import ArrayRows
from pipeline.inputs.csv_rows import CsvRows
from pipeline.inputs.data_sets import UnusableFiles
from pipeline.inputs.image_files import ImageFiles
from pipeline.inputs.parquet_rows import ParquetRows
from pipeline.inputs.selection import Labels
from pipeline.inputs.source import ImageSource, WorkItem

_SOURCES: dict[str, type[Any]] = {
    source.__name__: source
    for source in (ArrayRows, CsvRows, ImageFiles, ParquetRows, UnusableFiles)
}


@dataclass(frozen=True, slots=True)
class Listing:
    """The listed images of a scoring."""

    sizes: tuple[int, ...]
    """Images in each shard."""
    fingerprint: str
    """SHA-256 of the change stamps of all files, in order."""
    labels: str | None
    """SHA-256 of the digests of the label tables; None if there are none."""
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Number of files and directories that were not taken, by kind."""
    label_sources: tuple[str, ...] = ()
    """What was taken for labels."""
    labels_from: Labels = "auto"
    """Whether directories 0 to 9 are labels even if others are beside them."""

    @property
    def files(self) -> int:
        """Images in all shards; each is a file, or a row of a file."""
        return sum(self.sizes)

    def as_json(self) -> dict[str, Any]:
        """Return the values that identify this listing, as JSON can represent them."""
        return {
            "files": self.files,
            "shards": len(self.sizes),
            "fingerprint": self.fingerprint,
            "labels": [self.labels, *self.label_sources],
            "labels_from": self.labels_from,
        }


def write(items: Iterable[WorkItem], directory: Path, size: int) -> Listing:
    """Write work items to a directory, in shards of at most `size` images.

    A work item of more images is a shard by itself.
    """
    directory.mkdir(parents=True, exist_ok=True)
    sizes: list[int] = []
    fingerprint = hashlib.sha256()
    label_tables: dict[str, None] = {}
    for shard in _shards(items, size):
        parts = []
        for source, members in groupby(shard, lambda item: item.source):
            keys = [item.key for item in members]
            parts.append([type(source).__name__, asdict(source), keys])
            if source.label_table_sha256:
                label_tables[source.label_table_sha256] = None
        # The list is made anew by every run, so it need not survive a power failure.
        path(directory, len(sizes)).write_text(json.dumps(parts))
        # Names have no NUL, and every stamp has the same number of NULs.
        fingerprint.update(b"\0".join([item.change_stamp for item in shard]) + b"\0")
        sizes.append(sum(item.images for item in shard))
    labels = hashlib.sha256("".join(label_tables).encode()).hexdigest() if label_tables else None
    return Listing(tuple(sizes), fingerprint.hexdigest(), labels)


def read(directory: Path, shard: int) -> list[tuple[ImageSource, Sequence[Any]]]:
    """Return the image sources of a shard, each with the keys of its work items."""
    parts = json.loads(path(directory, shard).read_text())
    return [(_SOURCES[name](**values), keys) for name, values, keys in parts]


def path(directory: Path, shard: int) -> Path:
    """Return the file of a shard."""
    return directory / f"{shard:06}"


def _shards(items: Iterable[WorkItem], size: int) -> Iterator[list[WorkItem]]:
    shard: list[WorkItem] = []
    images = 0
    for item in items:
        if shard and images + item.images > size:
            yield shard
            shard, images = [], 0
        shard.append(item)
        images += item.images
    if shard:
        yield shard
