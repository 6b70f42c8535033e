"""Shards: the listed images in groups of a limited size, stored on disk as JSON.

The list need not fit in memory. Each shard is a JSON file of image sources and, for each, the keys
of its work items: a worker needs nothing else to read the images.

Its fingerprint changes if a file of the shard does. On this machine a change stamp costs a system
call for each file, so it is not part of the listing: whoever reads a shard takes it.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from pipeline.inputs.array_rows import ArrayRows
from pipeline.inputs.csv_rows import CsvRows
from pipeline.inputs.data_sets import UnusableFiles
from pipeline.inputs.image_files import ImageFiles
from pipeline.inputs.parquet_rows import ParquetRows
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
    left_out: Mapping[str, int] = field(default_factory=dict)
    """Number of files and directories that were not taken, by kind."""
    label_sources: tuple[str, ...] = ()
    """What was taken for labels."""

    @property
    def files(self) -> int:
        """Images in all shards; each is a file, or a row of a file."""
        return sum(self.sizes)


def write(items: Iterable[WorkItem], directory: Path, size: int) -> Listing:
    """Write work items to a directory, in shards of at most `size` images.

    A work item of more images is a shard by itself.
    """
    directory.mkdir(parents=True, exist_ok=True)
    sizes: list[int] = []
    for shard in _shards(items, size):
        parts = []
        for source, group in groupby(shard, attrgetter("source")):
            members = list(group)
            keys = [item.key for item in members]
            stamps = [item.change_stamp for item in members if item.change_stamp is not None]
            digest = _digest(stamps) if len(stamps) == len(members) else None
            parts.append([type(source).__name__, asdict(source), keys, digest])
        # The list is made anew by every run, so it need not survive a power failure.
        path(directory, len(sizes)).write_text(json.dumps(parts))
        sizes.append(sum(item.images for item in shard))
    return Listing(tuple(sizes))


def read(directory: Path, shard: int) -> list[tuple[ImageSource, Sequence[Any]]]:
    """Return the image sources of a shard, each with the keys of its work items."""
    parts = json.loads(path(directory, shard).read_text())
    return [(_SOURCES[name](**values), keys) for name, values, keys, _ in parts]


def fingerprint(directory: Path, shard: int) -> str:
    """Return the SHA-256 of a shard and of the current change stamps of its files.

    It changes if an image or a label does: the shard has the digests of the label tables.
    """
    text = path(directory, shard).read_bytes()
    stamps = [text]
    for name, values, keys, digest in json.loads(text):
        if digest is None:
            stamps += _SOURCES[name](**values).change_stamps(keys)
    return _digest(stamps)


def path(directory: Path, shard: int) -> Path:
    """Return the file of a shard."""
    return directory / f"{shard:06}"


def _digest(stamps: Iterable[bytes]) -> str:
    return hashlib.sha256(b"\n".join(stamps)).hexdigest()


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
