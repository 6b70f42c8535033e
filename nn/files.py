"""Files that are complete or absent, even after a crash or a power failure."""

import os
import threading
from pathlib import Path


def write_atomically(path: Path, data: bytes) -> None:
    """Write a file, or replace it, in one step.

    The data goes to a temporary file in the same directory, is flushed to disk, and renamed. If
    that fails, the temporary file is removed and an earlier file stays as it was.

    Raises
    ------
    OSError
        If the file cannot be written, such as on a full disk.
    """
    # Two writers of the same file have different temporary files.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        temporary.write_bytes(data)
        _sync(temporary)
        temporary.replace(path)
        _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _sync(path: Path) -> None:
    """Flush a file, or the names in a directory, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
