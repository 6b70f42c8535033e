"""Writing files so that a crash or a power loss leaves the old content or the new."""

import _thread
import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from queue import SimpleQueue


def fsync(path: Path) -> None:
    """Wait until a file's content, or a directory's entries, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_soon(*paths: Path) -> Callable[[], None]:
    """Start an fsync of each path, all at once; return a function that waits for them.

    The function raises the error of an fsync that failed.
    """
    results: SimpleQueue[OSError | None] = SimpleQueue()

    def sync(path: Path) -> None:
        try:
            fsync(path)
        except OSError as error:
            results.put(error)
        else:
            results.put(None)

    for path in paths:
        # `threading` waits until a thread has started, which takes longer than some disks. Threads
        # of a pool would live on, and Python warns of a fork beside them.
        _thread.start_new_thread(sync, (path,))

    def wait() -> None:
        errors = [results.get() for _ in paths]
        for error in errors:
            if error is not None:
                raise error

    return wait


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; its file replaces `path` if the block succeeds."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield temporary
        fsync(temporary)
        temporary.replace(path)
        fsync(path.parent)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def make_directories(path: Path) -> None:
    """Create a directory and its parents, each on disk before anything is created in it."""
    if path.is_dir():
        return
    make_directories(path.parent)
    with contextlib.suppress(FileExistsError):
        path.mkdir()
    fsync(path.parent)
