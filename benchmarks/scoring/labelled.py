"""Collecting a million labelled images: seconds, memory, and what the next night adds on disk.

They are MNIST's, each with a few pixels of its own, as 784 bytes in Parquet: so the time is that of
collecting, and not of reading scans.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import table
from benchmarks.peak_memory import peak
from pipeline import ingest
from pipeline.data import parquet
from pipeline.data.labelled import collect, read

_ROWS_OF_A_GROUP = 5_000

# Bits of the number of an image.
_BITS = 24

# Images that a night brings.
_NEW = 1_000


def write(path: Path, images: np.ndarray, labels: np.ndarray, first: int, count: int) -> None:
    """Write images, no two of which are equal."""
    schema = pa.schema({"image": pa.binary(784), "label": pa.uint8()})
    with pq.ParquetWriter(path, schema) as writer:
        for start in range(first, first + count, _ROWS_OF_A_GROUP):
            numbers = np.arange(start, min(start + _ROWS_OF_A_GROUP, first + count))
            rows = images[numbers % len(images)].reshape(-1, 784).copy()
            for row, number in zip(rows, numbers.tolist(), strict=True):
                mark(row, number)
            column = pa.array([row.tobytes() for row in rows], pa.binary(784))
            known = pa.array(labels[numbers % len(images)])
            writer.write_table(pa.table([column, known], schema=schema))


def mark(image: np.ndarray, number: int) -> None:
    """Write a number into the lowest bits of the ink, so that the image stays like MNIST's."""
    ink = np.flatnonzero(image >= 2)[:_BITS]
    image[ink] = image[ink] & 0xFE | (number >> np.arange(len(ink)) & 1)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=1_000_000, help="images")
    count = parser.parse_args().count
    data = ingest()
    train = parquet.read(data.train.path, data.train.split)
    with tempfile.TemporaryDirectory() as name:
        source, kept = Path(name) / "own", Path(name) / "kept"
        source.mkdir()
        write(source / "0.parquet", train.images, train.labels, 0, count)
        before = peak()
        table.heading(f"{count:,} labelled images, {_NEW:,} more the next night")
        sizes = [0]
        for night in range(2):
            started = time.perf_counter()
            reference = collect(source, data, kept).reference
            table.row(f"night {night + 1}: seconds", [time.perf_counter() - started])
            files = [path for path in kept.rglob("*") if path.is_file()]
            sizes.append(sum(path.stat().st_size for path in files))
            table.row(f"night {night + 1}: added on disk, MB", [(sizes[-1] - sizes[-2]) / 1e6])
            write(source / "1.parquet", train.images, train.labels, count, _NEW)
        table.row("peak memory beyond MNIST's, MB", [(peak() - before) / 1e6], digits=0)
        split = read(reference.path, reference.sha256)
        used = len(split.training.labels) + len(split.held_out.labels)
        table.row("images of the second night", [used], digits=0)


if __name__ == "__main__":
    main()
