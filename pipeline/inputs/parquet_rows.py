"""The rows of a Parquet file, on this machine or in an object store.

The image column is called ``image``, or is the only one that can hold images: uint8 pixels (a
tensor of two dimensions, lists of 784, or 784 bytes), or image files as bytes, alone or in Hugging
Face's ``{bytes, path}``. If there is none, 784 columns may be the pixels. Integers in a column
``label`` are labels.

Row groups are not divided: reading a row decodes all rows of its group that come before it.
"""

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.images.decoding import is_image
from pipeline.images.framing import SIDE
from pipeline.images.reading import (
    MOST_BYTES,
    NO_IMAGE,
    OTHER_SIZE,
    TOO_BIG,
    Reader,
    Sheet,
    sheet,
)
from pipeline.inputs.labels import UNKNOWN
from pipeline.inputs.pixel_columns import PIXELS, find_pixel_columns
from pipeline.inputs.pixel_rows import digit_labels, pixel_batch, pixels_of
from pipeline.inputs.source import (
    Batch,
    Row,
    WorkItem,
    batch_of,
    path_text,
    row_number,
)
from pipeline.inputs.stores import open_store
from pipeline.progress import counted

# Columns of every file of predictions that this or an earlier release has written.
_PREDICTION_COLUMNS = frozenset(("path", "prediction", "confidence", "error", "model_sha256"))

_IMAGE = "image"
_LABEL = "label"

# Bytes of rows that are read at a time, if the images are large files; two batches are in memory.
_MAX_BATCH_BYTES = 32_000_000

_EXPECTED = (
    "expected a column `image`, or a single column, of uint8 pixels (a tensor of two dimensions, "
    f"lists of {PIXELS}, {PIXELS} bytes) or of image files (binary, or a struct with `bytes`)"
)


@dataclass(frozen=True, slots=True)
class ParquetRows:
    """Rows of a file; the key of a work item is (row group, first row, number of rows)."""

    store: str
    path: str
    display: str
    """The path or address that users know the file by."""

    @property
    def location(self) -> str:
        """Where the file is, for error messages."""
        return self.display if self.store else self.path

    @property
    def label_table_sha256(self) -> None:
        """None: the labels are in the rows."""

    def key_of(
        self, path: str, keys: Sequence[tuple[int, int, int]]
    ) -> tuple[int, int, int] | None:
        """Return the row group that a path is of."""
        row = row_number(path, self.display)
        if row is None:
            return None
        return next((key for key in keys if key[1] <= row < key[1] + key[2]), None)

    def batches(
        self, keys: Sequence[tuple[int, int, int]], size: int, reader: Reader
    ) -> Iterator[Batch]:
        """Read adjacent row groups in order, `size` rows at a time."""
        groups = [group for group, _, _ in keys]
        row = keys[0][1]
        display = path_text(self.display)
        end = keys[-1][1] + keys[-1][2]
        with _opened(self) as file:
            images = _image_columns(file.schema_arrow, self.location)
            data_type = file.schema_arrow.field(images[0]).type
        # A short dictionary may stand for gigabytes of equal images, so it is not decoded.
        with _opened(self, images if _is_binary(data_type) else []) as file:
            label = _label_column(file.schema_arrow)
            if _row_counts(file, groups) != [rows for _, _, rows in keys]:
                raise InputError(f"{self.location}: has changed since the run began: run it again.")
            rows_at_a_time = min(
                size, max(1, _MAX_BATCH_BYTES // _bytes_per_row(file, groups, images[0]))
            )
            columns = [*images, label] if label else images
            tables = file.iter_batches(
                rows_at_a_time, row_groups=groups, columns=columns, use_threads=False
            )
            for table in _ahead(tables):
                paths = [f"{display}#{number}" for number in range(row, row + len(table))]
                labels = _digit_labels(table.column(label)) if label else _unknown(len(table))
                if len(images) == 1:
                    yield _batch(paths, table.column(images[0]), labels, reader)
                else:
                    yield pixel_batch(paths, *_of_columns(table, images), labels, reader)
                row += len(table)
        if row != end:
            raise InputError(f"{self.location}: is damaged: expected {end} rows, got {row}.")


def work_items(
    rows: ParquetRows, change_stamp: bytes, *, leave_out_predictions: bool = False
) -> Iterator[WorkItem]:
    """Yield the row groups of a file.

    Parameters
    ----------
    rows : ParquetRows
    change_stamp : bytes
    leave_out_predictions : bool
        Whether a file of predictions counts as empty: those of an earlier run may be in the input.

    Raises
    ------
    InputError
        If it is damaged, or has no image column or several.
    """
    with _opened(rows) as file:
        if leave_out_predictions and set(file.schema_arrow.names) >= _PREDICTION_COLUMNS:
            return
        _image_columns(file.schema_arrow, rows.location)
        counts = _row_counts(file, range(file.metadata.num_row_groups))
    first = 0
    for group, count in enumerate(counts):
        if count:
            yield WorkItem(rows, (group, first, count), count, change_stamp)
        first += count


def _ahead(tables: Iterator[Any]) -> Iterator[Any]:
    """Yield tables, and let a thread decode the next one meanwhile."""
    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(next, tables, None)
        while (table := following.result()) is not None:
            following = pool.submit(next, tables, None)
            yield table


def _row_counts(file: Any, groups: Sequence[int]) -> list[int]:
    """Return the number of rows of each row group, leaving out groups that do not exist."""
    metadata = file.metadata
    return [metadata.row_group(group).num_rows for group in groups if group < file.num_row_groups]


def _image_columns(schema: Any, location: str) -> list[str]:
    """Return the name of the image column, or of the columns of the pixels.

    Raises
    ------
    InputError
        If there is none, or if there are several and none is called ``image``.
    """
    candidates: list[str] = [field.name for field in schema if _can_hold_images(field.type)]
    if schema.names.count(_IMAGE) > 1:
        candidates = [_IMAGE] * schema.names.count(_IMAGE)
    elif _IMAGE in schema.names:
        candidates = [_IMAGE] if _IMAGE in candidates else []
    if len(candidates) == 1:
        return candidates
    if not candidates and (columns := find_pixel_columns(schema.names)):
        pixels = [schema.names[index] for index in columns.pixels]
        if all(_is_number(schema.field(name).type) for name in pixels):
            return pixels
    if candidates:
        got = f"several: {', '.join(candidates)}. Call exactly one of them `image`."
    else:
        got = ", ".join(f"{field.name}: {field.type}" for field in schema) or "no column"
    raise InputError(f"{location}: {_EXPECTED}, got {got}")


def _can_hold_images(data_type: Any) -> bool:
    if isinstance(data_type, pa.FixedShapeTensorType):
        shape = data_type.shape
        return bool(data_type.value_type == pa.uint8() and len(shape) == 2 and 0 not in shape)
    if pa.types.is_fixed_size_list(data_type):
        return bool(data_type.value_type == pa.uint8() and data_type.list_size == PIXELS)
    if pa.types.is_list(data_type) or pa.types.is_large_list(data_type):
        return bool(data_type.value_type == pa.uint8())
    if pa.types.is_struct(data_type):
        index = data_type.get_field_index("bytes")
        return index >= 0 and _is_binary(data_type.field(index).type)
    return _is_binary(data_type)


def _is_binary(data_type: Any) -> bool:
    if pa.types.is_dictionary(data_type):
        return _is_binary(data_type.value_type)
    return bool(
        pa.types.is_binary(data_type)
        or pa.types.is_fixed_size_binary(data_type)
        or pa.types.is_large_binary(data_type)
        or pa.types.is_binary_view(data_type)
    )


def _batch(paths: list[str], column: Any, labels: NDArray[np.int8], reader: Reader) -> Batch:
    """Return a column's images as the network sees them, and why rows have none."""
    data_type = column.type
    if pa.types.is_struct(data_type):
        column = column.flatten()[data_type.get_field_index("bytes")]
    if not _is_binary(column.type):
        return pixel_batch(paths, *_pixels(column), labels, reader)
    if (pixels := _bytes_as_pixels(column)) is not None:
        return pixel_batch(paths, *pixels, labels, reader)
    return batch_of(
        map(Row, paths, labels.tolist(), map(_sheet, counted(column))), len(paths), reader
    )


def _sheet(value: Any) -> Sheet:
    """Return the pixels of an image file in a column, or of 784 bytes."""
    if isinstance(value, pa.DictionaryScalar):
        value = value.value
    data = value.as_buffer() if value.is_valid else None
    if data is None:
        return NO_IMAGE
    if data.size > MOST_BYTES:
        return TOO_BIG
    content = data.to_pybytes()
    if data.size == PIXELS and not is_image(content):
        return np.frombuffer(content, np.uint8).reshape(SIDE, SIDE)
    return sheet(content)


def _bytes_as_pixels(column: Any) -> tuple[NDArray[np.uint8], dict[int, str]] | None:
    """Return a column's pixels if each row is 784 bytes and none is an image file; else None."""
    data_type = column.type
    if pa.types.is_dictionary(data_type) or pa.types.is_binary_view(data_type):
        return None
    if not pa.types.is_fixed_size_binary(data_type):
        lengths = pc.binary_length(column)
        if column.null_count or not pc.all(pc.equal(lengths, PIXELS)).as_py():
            return None
        column = column.cast(pa.binary(PIXELS))
    if column.type.byte_width != PIXELS:
        return None
    # The values are one buffer; that of a missing row is in it too.
    values = np.frombuffer(column.buffers()[1], np.uint8)
    start = column.offset * PIXELS
    pixels = values[start : start + len(column) * PIXELS].reshape(-1, SIDE, SIDE)
    missing = np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False)).tolist()
    # Few images have ink in their first corner; all files have.
    if any(is_image(pixels[row].tobytes()) for row in np.flatnonzero(pixels[:, 0, 0]).tolist()):
        return None
    return pixels, dict.fromkeys(missing, NO_IMAGE)


def _of_columns(table: Any, names: list[str]) -> tuple[NDArray[np.uint8], dict[int, str]]:
    """Return the pixels of columns, a column for each; those with a missing one are refused."""
    columns = [table.column(name) for name in names]
    if any(column.null_count for column in columns):
        columns = [column.cast(pa.float32()) for column in columns]
    values = np.stack([column.to_numpy(zero_copy_only=False) for column in columns], axis=1)
    return pixels_of(values.reshape(-1, SIDE, SIDE))


def _pixels(column: Any) -> tuple[NDArray[np.uint8], dict[int, str]]:
    """Return a column's pixels, shape (n, height, width), and why rows have none, by index."""
    shape, is_transposed = (SIDE, SIDE), False
    if isinstance(column.type, pa.FixedShapeTensorType):
        shape, is_transposed = tuple(column.type.shape), column.type.permutation == [1, 0]
        column = column.storage
    lengths = pc.list_value_length(column).to_numpy(zero_copy_only=False)
    size = shape[0] * shape[1]
    is_complete = lengths == size  # the length of a missing row is NaN
    reasons = {
        index: NO_IMAGE if np.isnan(lengths[index]) else OTHER_SIZE
        for index in np.flatnonzero(~is_complete).tolist()
    }
    values = (column.filter(pa.array(is_complete)) if reasons else column).flatten()
    if values.null_count:
        has_all = values.is_valid().to_numpy(zero_copy_only=False).reshape(-1, size).all(axis=1)
        reasons |= dict.fromkeys(np.flatnonzero(is_complete)[~has_all].tolist(), NO_IMAGE)
        values = values.fill_null(0)
    pixels = values.to_numpy().reshape(-1, *shape)
    if len(pixels) < len(column):
        complete, pixels = pixels, np.zeros((len(column), *shape), np.uint8)
        pixels[is_complete] = complete
    return (pixels.transpose(0, 2, 1) if is_transposed else pixels), reasons


def _label_column(schema: Any) -> str | None:
    if schema.names.count(_LABEL) != 1:
        return None
    data_type = schema.field(_LABEL).type
    if pa.types.is_dictionary(data_type):
        data_type = data_type.value_type
    return _LABEL if _is_number(data_type) else None


def _is_number(data_type: Any) -> bool:
    return bool(pa.types.is_integer(data_type) or pa.types.is_floating(data_type))


def _digit_labels(column: Any) -> NDArray[np.int8]:
    """Return labels; a value that is not a digit becomes unknown.

    pandas writes integers with a gap as floats, and categories as a dictionary.
    """
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return digit_labels(column.cast(pa.float64(), safe=False).fill_null(UNKNOWN).to_numpy())


def _unknown(count: int) -> NDArray[np.int8]:
    return np.full(count, UNKNOWN, np.int8)


def _bytes_per_row(file: Any, groups: Sequence[int], image: str) -> int:
    """Return the mean size of a row, or that of a dictionary that each row may be decoded to."""
    parts = [file.metadata.row_group(group) for group in groups]
    size: int = sum(part.total_byte_size for part in parts)
    count: int = sum(part.num_rows for part in parts)
    # pyarrow reads no dictionary inside a struct as it is.
    columns = (part.column(index) for part in parts for index in range(part.num_columns))
    dictionaries = (
        column.data_page_offset - column.dictionary_page_offset
        for column in columns
        if column.has_dictionary_page and column.path_in_schema == f"{image}.bytes"
    )
    largest: int = max(dictionaries, default=1)
    return max(1, size // count, largest)


@contextlib.contextmanager
def _opened(rows: ParquetRows, read_dictionary: Sequence[str] = ()) -> Iterator[Any]:
    """Open a file; raise `InputError` if it cannot be read."""
    try:
        with (
            open_store(rows.store).open(rows.path) as stream,
            pq.ParquetFile(stream, read_dictionary=list(read_dictionary)) as file,
        ):
            yield file
    except (OSError, pa.ArrowException) as error:
        raise InputError(
            f"{rows.location}: cannot be read as Parquet, or not to its end ({error})."
        ) from None
