"""Files that are either whole or not there."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

_TEMPORARY = ".tmp"


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; what is written there takes its place at the end.

    Where the block fails, the temporary file is removed and `path` stays as it was. Nothing is
    ever half-written under its final name, not even after a power loss.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    # The process id keeps two writers apart; the dot keeps it out of `*.parquet`.
    temporary = path.with_name(f".{path.name}.{os.getpid()}{_TEMPORARY}")
    try:
        yield temporary
        sync(temporary)
        temporary.replace(path)
        sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def sweep(directory: Path) -> None:
    """Remove the temporary files and directories that a killed process left.

    Call it where `locked` keeps everybody else from making some.
    """
    for leftover in directory.glob(f".*{_TEMPORARY}"):
        if leftover.is_dir():
            shutil.rmtree(leftover)
        else:
            leftover.unlink()


def remove(directory: Path) -> None:
    """Remove a directory: whole or not at all under its name; if killed, `sweep` ends it."""
    leftover = directory.with_name(f".{directory.name}{_TEMPORARY}")
    directory.rename(leftover)
    shutil.rmtree(leftover)


@contextlib.contextmanager
def temporary_directory(parent: Path) -> Iterator[Path]:
    """Give a directory below `parent` that is gone afterwards; if killed, `sweep` removes it."""
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".", suffix=_TEMPORARY, dir=parent) as name:
        yield Path(name)


@contextlib.contextmanager
def locked(directory: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold a directory for this process.

    The kernel lets go of the lock when its holder dies, however it dies.

    Parameters
    ----------
    wait : bool
        For another process that holds it.

    Raises
    ------
    BlockingIOError
        Where another process holds it, and this one was not to wait.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / ".lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def stamp(path: Path) -> tuple[int, int, int]:
    """Return what is another when a file is: its inode, size and time.

    Raises
    ------
    OSError
        Where there is no file.
    """
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def sync(path: Path) -> None:
    """Wait until a file, or the names in a directory, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
