"""Labelled images as they are read: one file for each shard, in no particular order."""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import files
from pipeline.images.framing import SIDE
from pipeline.images.reading import Reader
from pipeline.inputs import shards
from pipeline.inputs.labels import UNKNOWN
from pipeline.inputs.source import Batch

_BATCH_SIZE = 1024

DIGEST = pa.binary(32)
IMAGE = pa.binary(SIDE * SIDE)

SCHEMA = pa.schema({"digest": DIGEST, "image": IMAGE, "label": pa.uint8(), "path": pa.string()})
"""The digest is the SHA-256 of the image's 784 bytes."""


@dataclass
class PartCounts:
    """Counts over the images of a shard or of several."""

    files: int = 0
    """Work items of the shard."""
    labelled: int = 0
    """Images with a label, including those that cannot be read."""
    errors: Counter[str] = field(default_factory=Counter)
    """Images with a label that cannot be read, by reason."""

    def __iadd__(self, other: "PartCounts") -> "PartCounts":
        self.files += other.files
        self.labelled += other.labelled
        self.errors += other.errors
        return self


def read_part(directory: Path, shard: int, target: Path) -> PartCounts:
    """Read the images of a shard that have a label, and write them to a file.

    Parameters
    ----------
    directory : Path
        Of the shards.
    shard : int
    target : Path
    """
    counts = PartCounts()
    with files.atomic_file(target) as file, pq.ParquetWriter(file, SCHEMA) as writer:
        for source, keys in shards.read(directory, shard):
            for batch in source.batches(keys, _BATCH_SIZE, Reader()):
                counts.files += batch.images_read
                counts.labelled += int(np.count_nonzero(batch.labels != UNKNOWN))
                counts.errors.update(
                    reason
                    for index, reason in batch.reasons.items()
                    if batch.labels[index] != UNKNOWN
                )
                writer.write_table(_labelled(batch))
    return counts


def _labelled(batch: Batch) -> pa.Table:
    """Return the images of a batch that can be read and have a label."""
    readable = np.delete(np.arange(len(batch.paths)), list(batch.reasons))
    has_label = batch.labels[readable] != UNKNOWN
    images = [image.tobytes() for image in batch.images[has_label]]
    places = readable[has_label]
    return pa.table(
        {
            "digest": pa.array([hashlib.sha256(image).digest() for image in images], DIGEST),
            "image": pa.array(images, IMAGE),
            "label": pa.array(batch.labels[places].astype(np.uint8)),
            "path": pa.array([batch.paths[place] for place in places.tolist()], pa.string()),
        },
        schema=SCHEMA,
    )
