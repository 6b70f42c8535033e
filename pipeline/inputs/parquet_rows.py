"""The rows of a Parquet file, on this machine or in an object store.

The column of images is called ``image``, or is the only one that can hold some: uint8 pixels (a
tensor of two dimensions, or lists of 784), or image files as bytes, alone or as Hugging Face has
them, ``{bytes, path}``. Integers in a column called ``label`` are labels.

Row groups are not cut: whoever reads a row decodes all of its group that comes before it.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.images.framing import SIDE
from pipeline.images.reading import (
    MOST_BYTES,
    NO_IMAGE,
    OTHER_SIZE,
    TOO_BIG,
    Reader,
    Seen,
    Sheet,
    as_seen,
    pixels_as_seen,
    sheet,
)
from pipeline.inputs.source import UNKNOWN, Batch, Piece
from pipeline.inputs.stores import open_store

SUFFIX = ".parquet"

_IMAGE = "image"
_LABEL = "label"

# Of rows that are read at once, where images are large files.
_MOST_AT_ONCE = 64_000_000

_PIXELS = SIDE * SIDE

_EXPECTED = (
    "expected a column `image`, or one alone, of uint8 pixels (a tensor of two dimensions, lists "
    f"of {_PIXELS}) or of image files (binary, or a struct with `bytes`)"
)


@dataclass(frozen=True, slots=True)
class ParquetRows:
    """Rows of a file; the key of a piece is its row group, its first row and how many there are."""

    store: str
    path: str
    shown: str
    """By which users know the file."""

    @property
    def place(self) -> str:
        """Where the file is, for what is said of it."""
        return self.shown if self.store else self.path

    @property
    def labels(self) -> None:
        """Nothing: they are in the rows themselves."""

    def batches(
        self, keys: Sequence[tuple[int, int, int]], size: int, reader: Reader
    ) -> Iterator[Batch]:
        """Read row groups that follow each other, so many rows at once."""
        groups = [group for group, _, _ in keys]
        row = keys[0][1]
        end = keys[-1][1] + keys[-1][2]
        with _opened(self) as file:
            schema = file.schema_arrow
            image = image_column(schema, self.place)
            label = _label_column(schema)
            if rows_of(file, groups) != [rows for _, _, rows in keys]:
                raise InputError(f"{self.place}: has changed since the run began: run it again.")
            images_at_once = min(size, max(1, _MOST_AT_ONCE // _bytes_of_one(file, groups)))
            columns = [image, label] if label else [image]
            for table in file.iter_batches(
                images_at_once, row_groups=groups, columns=columns, use_threads=False
            ):
                seen = _seen(table.column(image), reader)
                yield Batch(
                    [f"{self.shown}#{number}" for number in range(row, row + len(table))],
                    seen.images,
                    seen.reasons,
                    _labels(table.column(label)) if label else _unknown(len(table)),
                    seen.notes,
                )
                row += len(table)
        if row != end:
            raise InputError(f"{self.place}: expected {end} rows, got {row}: it is damaged.")


def pieces(rows: ParquetRows, stamp: bytes) -> Iterator[Piece]:
    """Yield the row groups of a file.

    Raises
    ------
    InputError
        Where it is damaged, or has no column of images or several.
    """
    with _opened(rows) as file:
        image_column(file.schema_arrow, rows.place)
        counts = rows_of(file, range(file.metadata.num_row_groups))
    first = 0
    for group, count in enumerate(counts):
        if count:
            yield Piece(rows, (group, first, count), count, b"%s\0%d" % (stamp, group))
        first += count


def rows_of(file: Any, groups: Sequence[int]) -> list[int]:
    """Return how many rows there are in row groups, as far as these are there."""
    metadata = file.metadata
    return [metadata.row_group(group).num_rows for group in groups if group < file.num_row_groups]


def image_column(schema: Any, place: str) -> str:
    """Return the name of the column of images.

    Raises
    ------
    InputError
        Where there is none, or several of which none is called ``image``.
    """
    candidates: list[str] = [field.name for field in schema if _holds_images(field.type)]
    if _IMAGE in schema.names:
        candidates = [_IMAGE] if _IMAGE in candidates else []
    if len(candidates) == 1:
        return candidates[0]
    if candidates:
        got = f"several: {', '.join(candidates)}. Call one of them `image`."
    else:
        got = ", ".join(f"{field.name}: {field.type}" for field in schema) or "no column"
    raise InputError(f"{place}: {_EXPECTED}, got {got}")


def _holds_images(kind: Any) -> bool:
    if isinstance(kind, pa.FixedShapeTensorType):
        return bool(kind.value_type == pa.uint8() and len(kind.shape) == 2 and 0 not in kind.shape)
    if pa.types.is_fixed_size_list(kind):
        return bool(kind.value_type == pa.uint8() and kind.list_size == _PIXELS)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return bool(kind.value_type == pa.uint8())
    if pa.types.is_struct(kind):
        place = kind.get_field_index("bytes")
        return place >= 0 and _is_binary(kind.field(place).type)
    return _is_binary(kind)


def _is_binary(kind: Any) -> bool:
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def _seen(column: Any, reader: Reader) -> Seen:
    kind = column.type
    if _is_binary(kind) or pa.types.is_struct(kind):
        files = column if _is_binary(kind) else column.flatten()[kind.get_field_index("bytes")]
        return as_seen(map(_sheet, files), len(column), reader)
    pixels, reasons = _pixels(column)
    if pixels.shape[1:] == (SIDE, SIDE):
        return pixels_as_seen(pixels, reasons, reader)
    sheets = (reasons.get(place, image) for place, image in enumerate(pixels))
    return as_seen(sheets, len(pixels), reader)


def _sheet(value: Any) -> Sheet:
    """Return the pixels of an image file in a column."""
    data = value.as_buffer()
    if data is None:
        return NO_IMAGE
    return TOO_BIG if data.size > MOST_BYTES else sheet(data.to_pybytes())


def _pixels(column: Any) -> tuple[NDArray[np.uint8], dict[int, str]]:
    """Return a column's pixels, shape (n, height, width), and in which places there are none."""
    shape, turned = (SIDE, SIDE), False
    if isinstance(column.type, pa.FixedShapeTensorType):
        shape, turned = tuple(column.type.shape), column.type.permutation == [1, 0]
        column = column.storage
    lengths = pc.list_value_length(column).to_numpy(zero_copy_only=False)
    size = shape[0] * shape[1]
    is_whole = lengths == size  # of what is missing, the length is not a number
    reasons = {
        place: NO_IMAGE if np.isnan(lengths[place]) else OTHER_SIZE
        for place in np.flatnonzero(~is_whole).tolist()
    }
    values = (column.filter(pa.array(is_whole)) if reasons else column).flatten()
    if values.null_count:
        has_all = values.is_valid().to_numpy(zero_copy_only=False).reshape(-1, size).all(axis=1)
        reasons |= dict.fromkeys(np.flatnonzero(is_whole)[~has_all].tolist(), NO_IMAGE)
        values = values.fill_null(0)
    pixels = values.to_numpy().reshape(-1, *shape)
    if len(pixels) < len(column):
        every = np.zeros((len(column), *shape), np.uint8)
        every[is_whole] = pixels
        pixels = every
    return (pixels.transpose(0, 2, 1) if turned else pixels), reasons


def _label_column(schema: Any) -> str | None:
    if schema.names.count(_LABEL) != 1 or not pa.types.is_integer(schema.field(_LABEL).type):
        return None
    return _LABEL


def _labels(column: Any) -> NDArray[np.int8]:
    """Return labels; what is none of a digit is not known."""
    values = column.cast(pa.int64(), safe=False).fill_null(UNKNOWN).to_numpy()
    return np.where((values >= 0) & (values <= 9), values, UNKNOWN).astype(np.int8)


def _unknown(count: int) -> NDArray[np.int8]:
    return np.full(count, UNKNOWN, np.int8)


def _bytes_of_one(file: Any, groups: Sequence[int]) -> int:
    """Return how large a row is."""
    parts = [file.metadata.row_group(group) for group in groups]
    size: int = sum(part.total_byte_size for part in parts)
    count: int = sum(part.num_rows for part in parts)
    return max(1, size // count)


@contextlib.contextmanager
def _opened(rows: ParquetRows) -> Iterator[Any]:
    """Open a file; what it cannot deliver is one clear error."""
    try:
        with open_store(rows.store).open(rows.path) as stream, pq.ParquetFile(stream) as file:
            yield file
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"{rows.place}: cannot be read as Parquet, or not to its end ({error})."
        ) from None
