"""Sampling: ingest → draw test images → write them as PNG files with their labels."""

import csv
import io
from os import PathLike
from pathlib import Path

import numpy as np

from pipeline import files
from pipeline.data import parquet
from pipeline.errors import InvalidParameterError, OutputError
from pipeline.images.encoding import png
from pipeline.inputs.labels import FILE_NAME
from pipeline.jobs.ingestion import ingest
from pipeline.settings import Settings


def sample(
    count: int,
    output: str | PathLike[str],
    *,
    seed: int = 0,
    force: bool = False,
    settings: Settings | None = None,
) -> int:
    """Write MNIST test images as PNG files, with their labels in ``labels.csv``.

    Equal counts and seeds give equal files.

    Parameters
    ----------
    count : int
        Number of images, from 1 to the size of the test set.
    output : str or PathLike
        A directory, created if needed. It may hold an earlier sample of the same count and seed.
    seed : int
        Seed of the draw.
    force : bool
        Write into the directory whatever it holds.
    settings : Settings, optional
        Those of the environment by default.

    Returns
    -------
    int
        The number of images written.

    Raises
    ------
    InvalidParameterError
        If the count is outside its domain.
    OutputError
        If the directory holds anything else.
    """
    output = Path(output)
    data = ingest(settings=settings)
    test = parquet.read(data.test.path, data.test.split)
    if not 1 <= count <= len(test):
        raise InvalidParameterError("count", f"1 to {len(test)}", count)
    indices = np.sort(np.random.default_rng(seed).permutation(len(test))[:count])
    names = {f"{index:05}.png": index for index in indices}
    try:
        present = {path.name for path in output.iterdir()} if output.exists() else set()
    except NotADirectoryError:
        raise OutputError(f"{output}: expected a directory, got a file.") from None
    others = present - set(names) - {FILE_NAME}
    if others and not force:
        raise OutputError(
            f"{output}: expected an empty directory, got one that holds {min(others)!r}. "
            "Choose another, or write into it with --force."
        )
    table = io.StringIO()
    rows = csv.writer(table, lineterminator="\n")
    rows.writerow(["path", "label"])
    output.mkdir(parents=True, exist_ok=True)
    for name, index in names.items():
        (output / name).write_bytes(png(test.images[index]))
        rows.writerow([name, test.labels[index]])
    with files.atomic_write(output / FILE_NAME) as temporary:
        temporary.write_text(table.getvalue())
    return count
