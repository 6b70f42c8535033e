"""Files and directories that are complete or absent, even after a crash or a power failure."""

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from pipeline.errors import DiskFullError

_TEMPORARY = ".tmp"

LOCK = ".lock"
"""File of a directory that `locked` locks; it stays."""
_FULL = frozenset((errno.ENOSPC, errno.EDQUOT))


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; its file replaces `path` if the block succeeds.

    If the block fails, the temporary file is removed and `path` stays as it was. No incomplete
    file ever has the final name, not even after a power failure.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The process id separates two writers. The dot keeps the file out of `*.parquet`.
    temporary = path.with_name(f".{path.name}.{os.getpid()}{_TEMPORARY}")
    try:
        with naming_full_disk(path.parent):
            yield temporary
            fsync(temporary)
            temporary.replace(path)
            fsync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[BinaryIO]:
    """Yield an open binary file that replaces `path` if the block succeeds, as `atomic_write` does.

    pyarrow leaves the files that it opens open if the disk is full, and they keep their space.
    """
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        yield file


@contextlib.contextmanager
def naming_full_disk(path: Path) -> Iterator[None]:
    """Raise `DiskFullError` with this path if the block fails because a disk is full."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise DiskFullError(path) from error


def require_space(directory: Path, size: int) -> None:
    """Check that a directory has space for a file of so many bytes; create it if need be.

    Raises
    ------
    DiskFullError
        If it has not. A quota counts too, of which the size of the disk says nothing.
    """
    with naming_full_disk(directory):
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory) as file:
            os.posix_fallocate(file.fileno(), 0, size)


def fsync(path: Path) -> None:
    """Wait until a file's content, or a directory's entries, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_directory(directory: Path) -> None:
    """Remove a directory in one step: it is renamed first, then deleted.

    If this is killed between the two, `remove_leftovers` deletes the rest.
    """
    leftover = directory.with_name(f".{directory.name}{_TEMPORARY}")
    directory.rename(leftover)
    shutil.rmtree(leftover)


@contextlib.contextmanager
def temporary_directory(parent: Path) -> Iterator[Path]:
    """Yield a new directory below `parent`, and remove it afterwards.

    If this is killed, `remove_leftovers` removes it.
    """
    with naming_full_disk(parent):
        parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".", suffix=_TEMPORARY, dir=parent) as name:
            yield Path(name)


def remove_leftovers(directory: Path) -> None:
    """Remove the temporary files and directories that a killed process left in a directory.

    Call it under `locked`, so that no other process is using them.
    """
    for leftover in directory.glob(f".*{_TEMPORARY}"):
        if leftover.is_dir():
            shutil.rmtree(leftover)
        else:
            leftover.unlink()


@contextlib.contextmanager
def locked(directory: Path, *, wait: bool = True) -> Iterator[None]:
    """Lock a directory for this process; create it if it does not exist.

    The kernel releases the lock when the process ends, however it ends.

    Parameters
    ----------
    wait : bool
        Whether to wait if another process has the lock.

    Raises
    ------
    BlockingIOError
        If another process has the lock and `wait` is false.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / LOCK).open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def change_stamp(path: Path) -> tuple[int, int, int, int]:
    """Return a change stamp: (inode, size, mtime, ctime), the times in nanoseconds.

    A program may set a file's mtime, but not its ctime.

    Raises
    ------
    OSError
        If there is no file.
    """
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
