"""What is to be scored, cut into shards: a list on disk, which need not fit in memory.

Each shard is a JSON file of sources and, for each, the keys of its pieces: a worker needs nothing
else to read its images.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from pipeline import files
from pipeline.inputs.image_files import ImageFiles
from pipeline.inputs.parquet_rows import ParquetRows
from pipeline.inputs.source import Piece, Source

_KINDS: dict[str, type[ImageFiles | ParquetRows]] = {
    kind.__name__: kind for kind in (ImageFiles, ParquetRows)
}


@dataclass(frozen=True, slots=True)
class Listing:
    """What was found."""

    sizes: tuple[int, ...]
    """Images in each shard."""
    fingerprint: str
    """Of the names, sizes and times of all files, in order."""
    labels: str | None
    """Of the tables of labels beside them, if there are any."""

    @property
    def files(self) -> int:
        """Images in all shards: each is a file, or a row of one."""
        return sum(self.sizes)

    def as_json(self) -> dict[str, Any]:
        """Return what tells it from another."""
        return {
            "files": self.files,
            "shards": len(self.sizes),
            "fingerprint": self.fingerprint,
            "labels": self.labels,
        }


def write(pieces: Iterable[Piece], target: Path, size: int) -> Listing:
    """Write pieces in shards of a size into `target`.

    A shard has as many pieces as fit, and at least one: only one alone may be larger.
    """
    target.mkdir(parents=True, exist_ok=True)
    sizes: list[int] = []
    fingerprint = hashlib.sha256()
    labels: dict[str, None] = {}
    for shard in _cut(pieces, size):
        parts = []
        for source, members in groupby(shard, lambda piece: piece.source):
            keys = [piece.key for piece in members]
            parts.append([type(source).__name__, asdict(source), keys])
            if source.labels:
                labels[source.labels] = None
        with files.replacing(path(target, len(sizes))) as temporary:
            temporary.write_text(json.dumps(parts))
        # No name has a NUL, and each stamp has one for each of its parts.
        fingerprint.update(b"\0".join([piece.stamp for piece in shard]) + b"\0")
        sizes.append(sum(piece.images for piece in shard))
    tables = hashlib.sha256("".join(labels).encode()).hexdigest() if labels else None
    return Listing(tuple(sizes), fingerprint.hexdigest(), tables)


def read(target: Path, number: int) -> list[tuple[Source, Sequence[Any]]]:
    """Return the sources in a shard, each with the keys of its pieces."""
    parts = json.loads(path(target, number).read_text())
    return [(_KINDS[kind](**values), keys) for kind, values, keys in parts]


def path(target: Path, number: int) -> Path:
    """Return the file of a shard."""
    return target / f"{number:06}"


def _cut(pieces: Iterable[Piece], size: int) -> Iterator[list[Piece]]:
    shard: list[Piece] = []
    images = 0
    for piece in pieces:
        if shard and images + piece.images > size:
            yield shard
            shard, images = [], 0
        shard.append(piece)
        images += piece.images
    if shard:
        yield shard
