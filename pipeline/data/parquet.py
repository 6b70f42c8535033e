"""MNIST as Parquet: one file for each split, verified when it is read.

Columns: ``image``, fixed_shape_tensor<uint8>[28, 28], and ``label``, uint8. The file's metadata
names the data set, the split and the digests of the IDX files. An IDX file is a header and the
values, so its digest can be computed from the Parquet file. That is how the values are verified
against the digests of MNIST, whatever happened to the Parquet file.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline import files
from pipeline.data import idx
from pipeline.data.mnist import Split
from pipeline.errors import DamagedDataError

_ROWS_PER_GROUP = 10_000


@dataclass(frozen=True, slots=True)
class Examples:
    """Images and their labels."""

    images: NDArray[np.uint8]
    """Shape (n, 28, 28): 0 is paper, 255 is ink."""
    labels: NDArray[np.uint8]
    """Shape (n,): 0 to 9."""

    def __len__(self) -> int:
        return len(self.labels)


def write(path: Path, examples: Examples, dataset_name: str, split: Split) -> None:
    """Write a split atomically."""
    table = pa.table(
        {
            "image": image_column(examples.images),
            "label": pa.array(examples.labels),
        }
    ).replace_schema_metadata(
        {
            "dataset": dataset_name,
            "split": split.name,
            "images_sha256": split.images.sha256,
            "labels_sha256": split.labels.sha256,
        }
    )
    with files.atomic_file(path) as file:
        pq.write_table(table, file, compression="zstd", row_group_size=_ROWS_PER_GROUP)


def read(path: Path, split: Split) -> Examples:
    """Read and verify a split.

    The arrays are kept in memory until the file changes, since a retraining reads it several
    times. They are read-only.

    Raises
    ------
    DamagedDataError
        If the file is missing or damaged, or has anything but this split.
    """
    try:
        change_stamp = files.change_stamp(path)
    except OSError as error:
        raise DamagedDataError(f"{path} cannot be read as MNIST ({error}).") from None
    return _read(path, split, change_stamp)


@lru_cache(maxsize=2)
def _read(path: Path, split: Split, _change_stamp: tuple[int, ...]) -> Examples:
    examples, _ = columns(path, "MNIST")
    images, labels = examples.images, examples.labels
    for values, file in ((images, split.images), (labels, split.labels)):
        digest = hashlib.sha256(idx.header(values.shape))
        digest.update(np.ascontiguousarray(values).data)
        if digest.hexdigest() != file.sha256:
            raise DamagedDataError(
                f"{path} is damaged: expected the SHA-256 {file.sha256} for {file.name}, "
                f"got {digest.hexdigest()}. `digits ingest` writes it again."
            )
        values.flags.writeable = False
    return examples


def image_column(images: NDArray[np.uint8]) -> Any:
    """Return images, shape (n, height, width), as a column of tensors."""
    height, width = images.shape[1:]
    storage = pa.FixedSizeListArray.from_arrays(images.reshape(-1), height * width)
    tensor = pa.fixed_shape_tensor(pa.uint8(), [height, width])
    return pa.ExtensionArray.from_storage(tensor, storage)


def columns(path: Path, what: str, *others: str) -> tuple[Examples, list[list[Any]]]:
    """Return the images and labels of a file, and its columns `others`, without verification.

    Parameters
    ----------
    path : Path
    what : str
        The expected content, for error messages.
    *others : str
        Names of further columns.

    Raises
    ------
    DamagedDataError
        If the file cannot be read, or has no such columns.
    """
    try:
        # `read_table` would import pandas if that is installed.
        table = pq.ParquetFile(path).read().combine_chunks()
        images = table.column("image").combine_chunks().to_numpy_ndarray()
        labels = table.column("label").to_numpy()
        return Examples(images, labels), [table.column(name).to_pylist() for name in others]
    except (OSError, KeyError, AttributeError, pa.ArrowException) as error:
        raise DamagedDataError(f"{path} cannot be read as {what} ({error}).") from None
