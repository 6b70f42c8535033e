"""The rows of CSV files with a column for each pixel, on this machine or in a store."""

import contextlib
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.images.framing import SIDE
from pipeline.images.reading import Reader
from pipeline.inputs.labels import UNKNOWN
from pipeline.inputs.pixel_columns import PixelColumns, find_pixel_columns
from pipeline.inputs.pixel_rows import digit_labels, pixel_batch, pixels_of
from pipeline.inputs.source import (
    Batch,
    NoImagesError,
    UnusableError,
    WorkItem,
    path_text,
    row_number,
)
from pipeline.inputs.stores import open_store

# Rows of a work item, and bytes that are read at a time to find them.
_ROWS = 1_000
_BLOCK = 1 << 23

# A line of 785 numbers is shorter than this.
_MAX_LINE = 1 << 16

_DELIMITERS = (",", ";", "\t")

NO_PIXELS = "no columns of pixels"
_BAD_ROW = "not a row of 784 pixels"


@dataclass(frozen=True, slots=True)
class CsvRows:
    """Rows of a CSV file; the key of a work item is (first byte, bytes, first row, rows)."""

    store: str
    path: str
    display: str
    """The path or address that users know the file by."""

    @property
    def label_table_sha256(self) -> None:
        """None: the labels are in the rows."""

    def key_of(
        self, path: str, keys: Sequence[tuple[int, int, int, int]]
    ) -> tuple[int, int, int, int] | None:
        """Return the piece that a path is of."""
        row = row_number(path, self.display)
        if row is None:
            return None
        return next((key for key in keys if key[2] <= row < key[2] + key[3]), None)

    def batches(
        self, keys: Sequence[tuple[int, int, int, int]], size: int, reader: Reader
    ) -> Iterator[Batch]:
        """Read rows in order, `size` at a time."""
        display = path_text(self.display)
        with open_store(self.store).open(self.path) as stream:
            layout = _layout(stream.read(_MAX_LINE))
            for start, length, first, count in keys:
                stream.seek(start)
                lines = [line for line in stream.read(length).split(b"\n") if line.strip()]
                if layout is None or len(lines) != count:
                    raise InputError(
                        f"{self.display}: has changed since the run began: run it again."
                    )
                for row in range(0, count, size):
                    pixels, labels, reasons = _parsed(lines[row : row + size], layout)
                    paths = [f"{display}#{first + row + n}" for n in range(len(labels))]
                    yield pixel_batch(paths, pixels, reasons, labels, reader)


def csv_items(rows: CsvRows, change_stamp: bytes) -> Iterator[WorkItem]:
    """Yield the rows of a file in pieces that end where a line does.

    Raises
    ------
    NoImagesError
        If it has no columns of pixels.
    """
    first = count = 0
    with open_store(rows.store).open(rows.path) as stream:
        layout = _layout(stream.read(_MAX_LINE))
        if layout is None:
            raise NoImagesError(NO_PIXELS)
        start = end = layout.header
        stream.seek(start)
        for line in _lines(stream):
            end += len(line)
            count += bool(line.strip())
            if count == _ROWS:
                yield WorkItem(rows, (start, end - start, first, count), count, change_stamp)
                start, first, count = end, first + count, 0
    if count:
        yield WorkItem(rows, (start, end - start, first, count), count, change_stamp)


def has_pixel_columns(store: str, path: str) -> bool:
    """Return whether a CSV file has columns of pixels."""
    with open_store(store).open(path) as stream:
        return _layout(stream.read(_MAX_LINE)) is not None


def _lines(stream: Any) -> Iterator[bytes]:
    """Yield the lines of the rest of a file with their ends."""
    rest = b""
    while block := bytes(stream.read(_BLOCK)):
        *lines, rest = (rest + block).split(b"\n")
        for line in lines:
            yield line + b"\n"
        if len(rest) > _BLOCK:
            raise UnusableError(NO_PIXELS)
    if rest:
        yield rest


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a file is to be read."""

    delimiter: str
    columns: PixelColumns
    names: int
    """Number of all columns."""
    header: int
    """Where the first row begins."""


def _layout(start: bytes) -> _Layout | None:
    """Return the layout of a file that begins so; None if it has no columns of pixels."""
    line, end, _ = bytes(start).partition(b"\n")
    with contextlib.suppress(UnicodeDecodeError):
        text = line.decode("utf-8-sig").strip()
        for delimiter in _DELIMITERS:
            names = [name.strip().strip('"') for name in text.split(delimiter)]
            columns = find_pixel_columns(names)
            if columns is not None:
                # Numbers that are no consecutive names are the first row.
                is_row = all(name.isdecimal() for name in names) and len(set(names)) < len(names)
                header = 0 if is_row else len(line) + len(end)
                return _Layout(delimiter, columns, len(names), header)
    return None


def _parsed(
    lines: list[bytes], layout: _Layout
) -> tuple[NDArray[np.uint8], NDArray[np.int8], dict[int, str]]:
    """Return pixels, labels and why rows have none."""
    try:
        table = pyarrow.csv.read_csv(
            io.BytesIO(b"\n".join(lines)),
            pyarrow.csv.ReadOptions(
                use_threads=False, column_names=[str(n) for n in range(layout.names)]
            ),
            pyarrow.csv.ParseOptions(delimiter=layout.delimiter),
            pyarrow.csv.ConvertOptions(
                column_types={str(n): pa.float32() for n in range(layout.names)}
            ),
        )
    except pa.ArrowException:
        values = np.full((len(lines), layout.names), np.nan, np.float32)
        for row, line in enumerate(lines):
            with contextlib.suppress(ValueError):
                values[row] = [
                    float(cell.strip().strip(b'"'))
                    for cell in line.split(layout.delimiter.encode())
                ]
    else:
        columns = [column.to_numpy(zero_copy_only=False) for column in table.columns]
        values = np.stack(columns, axis=1)
    pixels, reasons = pixels_of(values[:, layout.columns.pixels].reshape(-1, SIDE, SIDE))
    for row in reasons:
        if np.isnan(values[row, layout.columns.pixels[0]]):
            reasons[row] = _BAD_ROW
    column = layout.columns.label
    labels = np.full(len(lines), UNKNOWN, np.int8)
    return pixels, labels if column is None else digit_labels(values[:, column]), reasons
