"""Data sets in a file: which kind it is, and its images."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pipeline.images.framing import SIDE
from pipeline.images.reading import Reader
from pipeline.inputs import parquet_rows
from pipeline.inputs.array_rows import ArrayRows, array_items
from pipeline.inputs.csv_rows import CsvRows, csv_items
from pipeline.inputs.kinds import Kind
from pipeline.inputs.labels import UNKNOWN
from pipeline.inputs.parquet_rows import ParquetRows
from pipeline.inputs.source import Batch, NoImagesError, UnusableError, WorkItem, path_text


@dataclass(frozen=True, slots=True)
class UnusableFiles:
    """Files that cannot be read as what they seem to be; the key of each is its path."""

    reason: str

    @property
    def label_table_sha256(self) -> None:
        """None: there are no images."""

    def key_of(self, path: str, keys: Sequence[str]) -> str | None:
        """Return the file that a path is of."""
        return next((key for key in keys if path_text(key) == path), None)

    def batches(
        self,
        keys: Sequence[str],
        size: int,
        reader: Reader,  # noqa: ARG002 - there is nothing to read
    ) -> Iterator[Batch]:
        """Yield a row with the reason for each file."""
        images = np.empty((0, SIDE, SIDE), np.uint8)
        for start in range(0, len(keys), size):
            paths = [path_text(key) for key in keys[start : start + size]]
            labels = np.full(len(paths), UNKNOWN, np.int8)
            reasons = dict.fromkeys(range(len(paths)), self.reason)
            yield Batch(paths, images, np.zeros(0, bool), reasons, labels, {}, len(paths))


class DataSetFile(NamedTuple):
    """A file that holds images in some way, and is no archive of files."""

    kind: Kind
    store: str
    path: str
    display: str
    """The path or address that users know it by."""
    change_stamp: bytes


def data_set_items(file: DataSetFile, *, is_named: bool) -> Iterator[WorkItem]:
    """Yield the images of a data set.

    Parameters
    ----------
    file : DataSetFile
    is_named : bool
        Whether the user named the file. If not, predictions, labels and tables of other numbers
        may be beside the images, and are left out.

    Raises
    ------
    InputError
        If it is Parquet that cannot be read, or has no image column or several.
    """
    address = (file.store, file.path, file.display)
    if file.kind is Kind.PARQUET:
        yield from parquet_rows.work_items(
            ParquetRows(*address), file.change_stamp, leave_out_predictions=not is_named
        )
        return
    try:
        if file.kind is Kind.CSV:
            items = csv_items(CsvRows(*address), file.change_stamp)
        else:
            is_archive = file.kind is Kind.NUMPY_ARCHIVE
            items = array_items(ArrayRows(*address), file.change_stamp, is_archive=is_archive)
        yield from items
    except NoImagesError as error:
        if is_named:
            yield unusable(file, str(error))
    except UnusableError as error:
        yield unusable(file, str(error))


def unusable(file: DataSetFile, reason: str) -> WorkItem:
    """Return the item of a file that gets a row with a reason."""
    return WorkItem(UnusableFiles(reason), file.display, 1, file.change_stamp)
