"""Some of MNIST's test images as PNG files, to try scoring on."""

import csv
import io
from pathlib import Path

import numpy as np

from pipeline import files
from pipeline.data import parquet
from pipeline.errors import InvalidParameterError, OutputError
from pipeline.images.encoding import png
from pipeline.inputs.labels import FILE_NAME
from pipeline.jobs.ingestion import ingest
from pipeline.settings import Settings


def sample(count: int, output: Path, *, seed: int = 0, settings: Settings | None = None) -> int:
    """Write test images as PNG files, and ``labels.csv`` with their labels; return how many.

    Equal counts and seeds write equal files.

    Parameters
    ----------
    count : int
        1 to the size of the test set.
    output : Path
        Made where it does not exist. It may hold an earlier sample of the same count and seed.

    Raises
    ------
    InvalidParameterError
        If the count is outside its domain.
    OutputError
        Where the directory holds anything else, which the sample would mix with.
    """
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
    if strangers := present - set(names) - {FILE_NAME}:
        raise OutputError(
            f"{output}: expected an empty directory, got one that holds {min(strangers)!r}. "
            "Choose another, or remove it first."
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
