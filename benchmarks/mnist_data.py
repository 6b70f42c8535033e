"""MNIST for the benchmarks, from the data directory that the pipeline uses."""

from pipeline.data import parquet
from pipeline.data.parquet import Examples
from pipeline.jobs.ingestion import ingest


def mnist() -> tuple[Examples, Examples]:
    """Return the 60,000 images and the test set, in the original order."""
    data = ingest()
    return (
        parquet.read(data.train.path, data.train.split),
        parquet.read(data.test.path, data.test.split),
    )
