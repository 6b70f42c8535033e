"""The IDX format of MNIST's files (http://yann.lecun.com/exdb/mnist/), for bytes.

The header is two zero bytes, the type of the values (0x08, unsigned byte), the number of
dimensions, and each dimension as four bytes, big-endian. The values follow.
"""

import math

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import DamagedDataError

MAGIC = b"\x00\x00\x08"


def decode(data: bytes) -> NDArray[np.uint8]:
    """Return the array in an IDX file.

    Raises
    ------
    DamagedDataError
        If the header is not that of unsigned bytes, or the length does not match it.
    """
    if len(data) < 4 or data[:3] != MAGIC:
        raise DamagedDataError(
            f"Not an IDX file of unsigned bytes: expected it to begin with {MAGIC!r}, "
            f"got {data[:4]!r}."
        )
    dimensions = data[3]
    header = 4 + 4 * dimensions
    shape = tuple(int.from_bytes(data[i : i + 4], "big") for i in range(4, header, 4))
    expected = header + math.prod(shape)
    if len(data) != expected:
        raise DamagedDataError(
            f"An IDX file of shape {shape} has {expected:,} bytes, got {len(data):,}."
        )
    return np.frombuffer(data, np.uint8, offset=header).reshape(shape)


def header(shape: tuple[int, ...]) -> bytes:
    """Return the bytes that precede the values of an array of this shape."""
    dimensions = b"".join(length.to_bytes(4, "big") for length in shape)
    return MAGIC + bytes([len(shape)]) + dimensions


def encode(values: NDArray[np.uint8]) -> bytes:
    """Return the IDX file of an array; `decode` is the inverse."""
    return header(values.shape) + values.tobytes()
