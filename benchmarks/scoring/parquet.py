"""Scoring MNIST's train.parquet against the bare forward pass over the same images, on one core.

The two take turns in one process; BLAS has one thread.
"""

import os
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from threadpoolctl import threadpool_limits

from benchmarks import table
from nn import NeuralNetwork
from pipeline import Settings, ingest, open_registry, score
from pipeline.data import parquet
from pipeline.images.normalization import are_normalized

ROUNDS = 7
SIZES = ((784, 1024, 512, 10), (784, 128, 10))


def seconds(function: Callable[[], object]) -> float:
    """Call a function once."""
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def decode(path: Path) -> None:
    """Read the images as scoring does, and nothing else."""
    for _ in pq.ParquetFile(path).iter_batches(1024, columns=["image"], use_threads=False):
        pass


def compare(path: Path, images: np.ndarray, labels: np.ndarray, sizes: Sequence[int]) -> None:
    """Print what share of its time scoring spends in the network."""
    network = NeuralNetwork(
        sizes, activation="relu", initializer="he", learning_rate=0.1, batch_size=128, epochs=1
    ).fit(images[:5000], labels[:5000])
    with tempfile.TemporaryDirectory() as name:
        settings = Settings(home=Path(name))
        with open_registry(settings) as registry:
            registry.register("mnist", network.to_bytes())
            registry.set_alias("mnist", "champion", 1, force=True)
        bare, ours = [], []
        for number in range(1 + ROUNDS):
            output = Path(name) / str(number)
            bare.append(seconds(lambda: network.predict_proba(images)))
            ours.append(seconds(lambda output=output: score(path, output, settings=settings)))
    # The first of each warms up.
    shares = [one / other for one, other in zip(bare[1:], ours[1:], strict=True)]
    shown = "-".join(map(str, sizes))
    table.row(f"{shown}: rate of the bare forward pass", shares, "≥ 0.8")
    rates = [len(images) / each / 1000 for each in ours[1:]]
    table.row(f"{shown}: thousand rows a second", rates, digits=1)


def main() -> None:
    """Print the table."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    train = ingest().train
    data = parquet.read(train.path, train.split)
    with tempfile.TemporaryDirectory() as name, threadpool_limits(1):
        as_bytes = Path(name) / "bytes.parquet"
        rows = pa.array([image.tobytes() for image in data.images], pa.binary(784))
        columns = {"image": rows, "label": data.labels}
        pq.write_table(pa.table(columns), as_bytes, compression="zstd", row_group_size=10_000)
        for kind, path in (("tensors", train.path), ("784 bytes", as_bytes)):
            table.heading(f"60,000 rows of raw pixels in Parquet as {kind}, one core")
            for sizes in SIZES:
                compare(path, data.images, data.labels, sizes)
    each = 1e6 / len(data)
    decoding = [each * seconds(lambda: decode(train.path)) for _ in range(ROUNDS)]
    table.row("µs a row: pyarrow's decoding", decoding)
    telling = [
        each * seconds(lambda: [are_normalized(part) for part in np.array_split(data.images, 60)])
        for _ in range(ROUNDS)
    ]
    table.row("µs a row: whether it is like MNIST's", telling)


if __name__ == "__main__":
    main()
