"""Arrays in memory that several processes share."""

import mmap
import os
import tempfile

import numpy as np
from numpy.typing import DTypeLike


class SharedArrays:
    """Arrays in one anonymous file, placed one after the other.

    Processes that ask for the same arrays in the same order get the same memory.

    Parameters
    ----------
    descriptor : int, optional
        File descriptor of arrays that another process created. None creates an empty file.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        self._creator = descriptor is None
        self.descriptor = _anonymous_file() if descriptor is None else descriptor
        self._end = 0

    def zeros(self, shape: int | tuple[int, ...], dtype: DTypeLike = np.float32) -> np.ndarray:
        """Return the next array. Its values are 0 unless another process has written to it."""
        dtype = np.dtype(dtype)
        count = int(np.prod(shape))
        length = max(1, count * dtype.itemsize)
        start = self._end
        self._end += -(-length // mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY
        if self._creator:
            os.ftruncate(self.descriptor, self._end)
        mapped = mmap.mmap(self.descriptor, length, offset=start)
        return np.frombuffer(mapped, dtype, count).reshape(shape)

    def close(self) -> None:
        """Close the file. Arrays stay valid until they are garbage collected."""
        os.close(self.descriptor)


def _anonymous_file() -> int:
    """Return the descriptor of a file without a name, which lives as long as its last user."""
    if hasattr(os, "memfd_create"):
        # Containers often limit /dev/shm to 64 MB, and memfd is not subject to that limit.
        return os.memfd_create("digits-workers")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())
