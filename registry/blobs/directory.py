"""Weights as files in a directory."""

import contextlib
import fcntl
import hashlib
import os
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path

from registry.blobs.base import Blobs, Stored, is_digest
from registry.durability import sync
from registry.errors import UnavailableError

# How often a file is written that a gc without grace took away before it was locked.
_TRIES = 10


class DirectoryBlobs(Blobs):
    """Weights in a directory; beside them ``tmp``, where files are until they are complete."""

    def __init__(self, root: str) -> None:
        self._root = Path(root)
        self._tmp = self._root / "tmp"

    def place_of(self, sha256: str) -> str:
        """Return the path of a blob."""
        return str(self._path(sha256))

    def has(self, sha256: str) -> bool:
        """Tell whether there is anything under a digest."""
        with self._translated():
            return os.path.lexists(self._path(sha256))

    def delete(self, sha256: str) -> None:
        """Remove a blob, if it is there."""
        with self._translated(), contextlib.suppress(FileNotFoundError):
            path = self._path(sha256)
            path.unlink()
            sync(path.parent)

    def stored(self) -> Iterator[Stored]:
        """List what is there, in no order."""
        with self._translated():
            for directory in _entries(self._root / "sha256"):
                for entry in _entries(Path(directory.path)) if directory.is_dir() else ():
                    found = _status(entry)
                    if found is not None and is_digest(entry.name):
                        yield Stored(entry.name, found.st_size, found.st_mtime)

    def temporary_files(self, before: float) -> Iterator[tuple[str, int]]:
        """List names and sizes of what killed writers left, unchanged since a time."""
        with self._translated():
            for entry in _entries(self._tmp):
                found = _status(entry)
                if found is None or not stat.S_ISREG(found.st_mode) or found.st_mtime >= before:
                    continue
                if not _is_being_written(Path(entry.path)):
                    yield entry.name, found.st_size

    def delete_temporary_file(self, name: str) -> None:
        """Remove one of them."""
        with self._translated():
            (self._tmp / name).unlink(missing_ok=True)

    def _path(self, sha256: str) -> Path:
        return self._root / "sha256" / sha256[:2] / sha256

    def _get(self, sha256: str) -> bytes | None:
        with self._translated():
            try:
                return _read(self._path(sha256))
            except FileNotFoundError:
                return None

    def _put(self, data: bytes, sha256: str) -> None:
        path = self._path(sha256)
        with self._translated():
            _make_directories(path.parent)
            _make_directories(self._tmp)
            for tries_left in reversed(range(_TRIES)):
                try:
                    self._put_at(path, data, sha256)
                    break
                except FileNotFoundError:
                    if not tries_left:
                        raise
            sync(path.parent)

    def _put_at(self, path: Path, data: bytes, sha256: str) -> None:
        temporary = self._tmp / str(uuid.uuid4())
        try:
            with _written(temporary, data):
                try:
                    # Unlike a rename, a link fails where the name is taken.
                    path.hardlink_to(temporary)
                except FileExistsError:
                    if not _holds(path, sha256):
                        temporary.replace(path)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UnavailableError(
                f"The weights in {self._root} cannot be read or written ({error.strerror})."
            ) from error


def _holds(path: Path, sha256: str) -> bool:
    """Tell whether a file holds what its name says; one that is gone by now does not."""
    try:
        return hashlib.sha256(_read(path)).hexdigest() == sha256
    except OSError:
        return False


def _entries(directory: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return list(entries)
    except FileNotFoundError:
        return []


def _status(entry: os.DirEntry[str]) -> os.stat_result | None:
    """Return the status of what a listing named, if it is still there."""
    try:
        return entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None


@contextlib.contextmanager
def _written(path: Path, data: bytes) -> Iterator[None]:
    """Write a file; until the end of the block its lock says that somebody is at it."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o444), "wb") as output:
        # Where there are no locks, the grace of gc has to do.
        with contextlib.suppress(OSError):
            fcntl.flock(output, fcntl.LOCK_SH)
        output.write(data)
        output.flush()
        os.fsync(output.fileno())
        yield


def _is_being_written(path: Path) -> bool:
    """Tell whether the writer of a temporary file is alive."""
    try:
        with path.open("rb") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def _read(path: Path) -> bytes:
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW), "rb") as stream:
        return stream.read()


def _make_directories(path: Path) -> None:
    """Make a directory and its parents, each on disk before anything in it is."""
    if path.is_dir():
        return
    _make_directories(path.parent)
    with contextlib.suppress(FileExistsError):
        path.mkdir()
    sync(path.parent)
