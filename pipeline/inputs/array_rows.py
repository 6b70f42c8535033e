"""The images of arrays: NumPy's ``.npy`` and ``.npz``, and the IDX files of MNIST."""

import contextlib
import gzip
import io
import math
import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.lib import format as numpy_format
from numpy.typing import NDArray

from pipeline.errors import InputError
from pipeline.images.decoding import MAX_PIXELS, TOO_LARGE
from pipeline.images.framing import SIDE
from pipeline.images.reading import Reader
from pipeline.inputs.archives import BOMB
from pipeline.inputs.globbing import change_stamp
from pipeline.inputs.labels import UNKNOWN
from pipeline.inputs.pixel_rows import digit_labels, pixel_batch, pixels_of
from pipeline.inputs.source import (
    Batch,
    NoImagesError,
    UnusableError,
    WorkItem,
    path_text,
    row_number,
)
from pipeline.inputs.stores import Store, open_store

# Rows of a work item, if its file can be read from anywhere.
_ROWS = 5_000

# Smaller arrays of two dimensions are measurements or one-hot labels.
_MIN_SIDE = 8

# Bytes of a header.
_MAX_HEADER = 1 << 16

# Bytes of rows that are read at a time, if the images are large.
_MAX_BATCH_BYTES = 64_000_000

_GZIP = b"\x1f\x8b"
_IDX_TYPES = {8: "u1", 9: "i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}

# What images may take in memory: so many times the size of their file, or so many bytes if that is
# more. All zeros take a thousandth of that.
_MAX_RATIO = 200
_MIN_LIMIT = 1_000_000_000

NO_IMAGES = "no array of images"
DAMAGED = "damaged array"

# How arrays of images and of their labels are called.
_LABEL_NAMES = (
    ("images", "labels"),
    ("image", "label"),
    ("idx3", "idx1"),
    (r"(?<![A-Za-z])x(?![A-Za-z])", "y"),
    (r"(?<![A-Za-z])X(?![A-Za-z])", "y"),
)

_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError)


class _Header(NamedTuple):
    """The header of an array."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    size: int
    """Bytes before the values."""


@dataclass(frozen=True, slots=True)
class ArrayRows:
    """Images of an array; the key of a work item is (first image, number of images)."""

    store: str
    path: str
    display: str
    """The path or address that users know the file by."""
    member: str = ""
    """The array's name in an ``.npz`` file; empty in other files."""
    labels: str = ""
    """Path of the file with the labels, or their name in the same ``.npz`` file; empty if there
    are none."""

    @property
    def label_table_sha256(self) -> None:
        """None: the labels are in an array."""

    @property
    def _display(self) -> str:
        return f"{self.display}/{self.member}" if self.member else self.display

    def key_of(self, path: str, keys: Sequence[tuple[int, int]]) -> tuple[int, int] | None:
        """Return the piece that a path is of."""
        row = row_number(path, self._display)
        if row is None:
            return None
        return next((key for key in keys if key[0] <= row < sum(key)), None)

    def batches(
        self, keys: Sequence[tuple[int, int]], size: int, reader: Reader
    ) -> Iterator[Batch]:
        """Read images in order, `size` at a time."""
        display = path_text(self._display)
        store = open_store(self.store)
        first, end = keys[0][0], keys[-1][0] + keys[-1][1]
        try:
            labels = _labels(store, self, first, end)
            with _values(store, self.path, self.member) as (stream, header):
                shape = _image_shape(header.shape)
                length = header.dtype.itemsize * math.prod(shape[1:])
                _skip(stream, first * length)
                size = min(size, max(1, _MAX_BATCH_BYTES // length))
                for row in range(first, end, size):
                    count = min(size, end - row)
                    values = _exactly(stream, count * length)
                    images = np.frombuffer(values, header.dtype).reshape(count, *shape[1:])
                    pixels, reasons = pixels_of(_grey(images))
                    paths = [f"{display}#{number}" for number in range(row, row + count)]
                    known = labels[row - first : row - first + count]
                    yield pixel_batch(paths, pixels, reasons, known, reader)
        except _ERRORS as error:
            raise InputError(
                f"{self.display}: cannot be read to its end, or has changed ({error})."
            ) from None


def array_items(rows: ArrayRows, stamp: bytes, *, is_archive: bool) -> Iterator[WorkItem]:
    """Yield the images of a file in pieces; those that are compressed are one piece.

    Parameters
    ----------
    rows : ArrayRows
    stamp : bytes
    is_archive : bool
        Whether it is an ``.npz`` file.

    Raises
    ------
    NoImagesError
        If it has no array of images.
    UnusableError
        If it is damaged or too large.
    """
    store = open_store(rows.store)
    try:
        arrays = _arrays(store, rows, is_archive=is_archive)
        if not arrays:
            raise NoImagesError(NO_IMAGES)
        for source, shape, can_seek in arrays:
            both = stamp
            if source.labels and not source.member:
                both += b" " + change_stamp(store.status(source.labels))
            _check_size(shape, store.status(rows.path).st_size)
            piece = _ROWS if can_seek else shape[0]
            for first in range(0, shape[0], piece):
                count = min(piece, shape[0] - first)
                yield WorkItem(source, (first, count), count, both)
    except _ERRORS:
        raise UnusableError(DAMAGED) from None


def _check_size(shape: tuple[int, ...], file_size: int) -> None:
    """Refuse images that a short file claims to hold, and those that are too large."""
    if math.prod(shape[1:]) > MAX_PIXELS:
        raise UnusableError(TOO_LARGE)
    if math.prod(shape) > max(_MIN_LIMIT, _MAX_RATIO * file_size):
        raise UnusableError(BOMB)


def _arrays(
    store: Store, rows: ArrayRows, *, is_archive: bool
) -> list[tuple[ArrayRows, tuple[int, ...], bool]]:
    """Return the arrays of images, their shapes, and whether they can be read in pieces."""
    if not is_archive:
        with _values(store, rows.path, "") as (stream, header):
            shape = _image_shape(header.shape)
            can_seek = not isinstance(stream, gzip.GzipFile)
            end = header.size + header.dtype.itemsize * math.prod(header.shape)
            if can_seek and end > store.status(rows.path).st_size:
                raise EOFError
        if not shape:
            return []
        labels = next(
            (
                path
                for path in _label_names(rows.path, is_path=True)
                if _is_labels(store, path, "", shape[0])
            ),
            "",
        )
        return [(ArrayRows(rows.store, rows.path, rows.display, "", labels), shape, can_seek)]
    with store.open(rows.path) as file, zipfile.ZipFile(file) as archive:
        members = [name.removesuffix(".npy") for name in archive.namelist()]
    shapes: dict[str, tuple[int, ...]] = {}
    for member in members:
        with contextlib.suppress(ValueError), _values(store, rows.path, member) as (_, header):
            shapes[member] = header.shape
    images = {member: _image_shape(shape) for member, shape in shapes.items()}
    found = []
    for member, shape in images.items():
        if shape:
            labels = _label_member(member, shapes, shape[0])
            source = ArrayRows(rows.store, rows.path, rows.display, member, labels)
            found.append((source, shape, False))
    return found


def _label_member(member: str, shapes: dict[str, tuple[int, ...]], count: int) -> str:
    """Return the name of the array with the labels of another; empty if there is none."""
    vectors = [name for name, shape in shapes.items() if shape == (count,)]
    named = [name for name in _label_names(member, is_path=False) if name in vectors]
    others = [name for name, shape in shapes.items() if shape[:1] == (count,) and name != member]
    # A single array of as many numbers as there are images can be nothing else.
    return named[0] if named else vectors[0] if len(vectors) == len(others) == 1 else ""


def _label_names(name: str, *, is_path: bool) -> Iterator[str]:
    """Yield how the labels of an array with this name may be called."""
    directory, slash, last = name.rpartition("/") if is_path else ("", "", name)
    renamed = last
    for images, labels in _LABEL_NAMES:
        renamed = re.sub(images, labels, renamed)
        if renamed != last:
            yield f"{directory}{slash}{renamed}"


def _is_labels(store: Store, path: str, member: str, count: int) -> bool:
    try:
        with _values(store, path, member) as (_, header):
            return header.shape == (count,)
    except (*_ERRORS, InputError):
        return False


def _labels(store: Store, rows: ArrayRows, first: int, end: int) -> NDArray[np.int8]:
    """Return the labels of some images of an array."""
    if not rows.labels:
        return np.full(end - first, UNKNOWN, np.int8)
    path, member = (rows.path, rows.labels) if rows.member else (rows.labels, "")
    with _values(store, path, member) as (stream, header):
        length = header.dtype.itemsize
        _skip(stream, first * length)
        values = _exactly(stream, (end - first) * length)
        return digit_labels(np.frombuffer(values, header.dtype))


@contextlib.contextmanager
def _values(store: Store, path: str, member: str) -> Iterator[tuple[IO[bytes], _Header]]:
    """Open an array at its first value.

    Raises
    ------
    ValueError
        If it is no array of numbers.
    """
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(store.open(path))
        if member:
            archive = stack.enter_context(zipfile.ZipFile(stream))
            stream = stack.enter_context(archive.open(f"{member}.npy"))
        else:
            start = bytes(stream.read(2))
            stream.seek(0)
            if start == _GZIP:
                stream = stack.enter_context(gzip.GzipFile(fileobj=stream))
        yield stream, _header(stream)


def _header(stream: Any) -> _Header:
    magic = _exactly(stream, 4)
    if magic[:2] == b"\0\0":
        code, dimensions = magic[2:4]
        if code not in _IDX_TYPES or not 0 < dimensions <= 4:
            raise ValueError("not an IDX file")
        shape = tuple(np.frombuffer(_exactly(stream, 4 * dimensions), ">u4").tolist())
        return _Header(np.dtype(_IDX_TYPES[code]), shape, 4 + 4 * dimensions)
    # NumPy reads a header from the start of a file.
    major, minor = (rest := _exactly(stream, 4))[2:4]
    width = 2 if major == 1 else 4
    length = _exactly(stream, width)
    size = int.from_bytes(length, "little")
    if size > _MAX_HEADER:
        raise ValueError("not an array")
    file = io.BytesIO(magic + rest + length + _exactly(stream, size))
    version = numpy_format.read_magic(file)
    if version not in ((1, 0), (2, 0)):
        raise ValueError(f"array of version {major}.{minor}")
    read = (
        numpy_format.read_array_header_1_0
        if version == (1, 0)
        else numpy_format.read_array_header_2_0
    )
    shape, is_fortran, dtype = read(file)
    if dtype.kind not in "buif" or (is_fortran and len(shape) > 1):
        raise ValueError("not an array of numbers, row by row")
    return _Header(dtype, shape, file.tell())


def _image_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Return an array's shape as (n, height, width) or (n, height, width, channels); else ()."""
    if shape == (SIDE, SIDE):
        return (1, SIDE, SIDE)
    if len(shape) == 2 and shape[1] == SIDE * SIDE:
        return (shape[0], SIDE, SIDE)
    if len(shape) == 4 and shape[1] == 1:
        shape = (shape[0], *shape[2:])
    is_image = len(shape) == 3 or (len(shape) == 4 and shape[3] in (1, 3))
    return shape if is_image and min(shape[1:3]) >= _MIN_SIDE else ()


def _grey(images: NDArray[Any]) -> NDArray[Any]:
    """Return images without channels, shape (n, height, width)."""
    if images.ndim == 3:
        return images
    if images.shape[3] == 1:
        return images[..., 0]
    # The weights of red, green and blue in what is seen (ITU-R BT.601).
    grey: NDArray[Any] = np.rint(images @ np.array([0.299, 0.587, 0.114]))
    return grey


def _exactly(stream: Any, size: int) -> bytes:
    """Read so many bytes; raise `EOFError` if there are fewer."""
    data = bytes(stream.read(size))
    while len(data) < size and (more := stream.read(size - len(data))):
        data += more
    if len(data) < size:
        raise EOFError(f"expected {size:,} bytes more, got {len(data):,}")
    return data


def _skip(stream: Any, size: int) -> None:
    """Skip bytes; what is compressed is read from its start."""
    if size:
        stream.seek(size, io.SEEK_CUR)
