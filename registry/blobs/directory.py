"""Weights as files in a directory."""

import contextlib
import errno
import fcntl
import hashlib
import os
import stat
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from registry.blobs.base import Blobs, StoredBlob, is_digest
from registry.durability import atomic_write, fsync, fsync_soon, make_directories
from registry.errors import UnavailableError

# What a link fails with if the name is taken, or if the file system has no links.
_NO_LINK = frozenset(
    (errno.EEXIST, errno.EPERM, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)
)

# Attempts to write a file that garbage collection without grace removes before it is locked.
_ATTEMPTS = 10


class DirectoryBlobs(Blobs):
    """Weights in a directory. Files are in ``tmp`` until they are complete."""

    def __init__(self, root: str) -> None:
        # Resolved once: the working directory may change while the store is open.
        self._root = Path(root).absolute()
        self._tmp = self._root / "tmp"
        self._owners = self._root / "registries"

    @property
    def location(self) -> str:
        """The path of the directory."""
        return str(self._root)

    def location_of(self, sha256: str) -> str:
        """Return the path of a blob."""
        return str(self._path(sha256))

    def has(self, sha256: str) -> bool:
        """Tell whether a blob is stored; its content is not verified."""
        with self._translate_errors():
            return os.path.lexists(self._path(sha256))

    def size_of(self, sha256: str) -> int | None:
        """Return the size of a stored blob in bytes; None if it is not stored."""
        with self._translate_errors():
            try:
                return self._path(sha256).lstat().st_size
            except FileNotFoundError:
                return None

    def delete(self, sha256: str) -> None:
        """Remove a blob if it is there."""
        with self._translate_errors(), contextlib.suppress(FileNotFoundError):
            path = self._path(sha256)
            path.unlink()
            fsync(path.parent)

    def owners(self) -> set[str]:
        """Return the ids of the registries that use the store."""
        with self._translate_errors():
            return {entry.name for entry in _entries(self._owners) if entry.name[0] != "."}

    def add_owner(self, registry_id: str, address: str) -> None:
        """Record durably that a registry uses the store, with its address for a reader."""
        path = self._owners / registry_id
        with self._translate_errors():
            make_directories(path.parent)
            with atomic_write(path) as temporary:
                temporary.write_text(f"{address}\n")

    def stored(self) -> Iterator[StoredBlob]:
        """Yield the stored blobs, in no particular order."""
        with self._translate_errors():
            for directory in _entries(self._root / "sha256"):
                for entry in _entries(Path(directory.path)) if directory.is_dir() else ():
                    status = _status(entry)
                    if status is not None and is_digest(entry.name):
                        yield StoredBlob(entry.name, status.st_size, status.st_mtime)

    def temporary_files(self, before: float) -> Iterator[tuple[str, int]]:
        """Yield name and size of each file that a killed writer left before a time."""
        with self._translate_errors():
            for entry in _entries(self._tmp):
                status = _status(entry)
                if status is None or not stat.S_ISREG(status.st_mode) or status.st_mtime >= before:
                    continue
                if not _is_being_written(Path(entry.path)):
                    yield entry.name, status.st_size

    def delete_temporary_file(self, name: str) -> None:
        """Remove a file that `temporary_files` named."""
        with self._translate_errors():
            (self._tmp / name).unlink(missing_ok=True)

    def _path(self, sha256: str) -> Path:
        return self._root / "sha256" / sha256[:2] / sha256

    def _get(self, sha256: str) -> bytes | None:
        with self._translate_errors():
            try:
                return _read(self._path(sha256))
            except FileNotFoundError:
                return None

    def _put(self, data: bytes, sha256: str) -> Callable[[], None]:
        path = self._path(sha256)
        with self._translate_errors():
            make_directories(path.parent)
            make_directories(self._tmp)
            for attempts_left in reversed(range(_ATTEMPTS)):
                try:
                    self._put_at(path, data, sha256)
                    break
                except FileNotFoundError:
                    if not attempts_left:
                        raise
        # Also of a file that was there: its writer may still be waiting for the disk.
        stored = _stamp(path)
        wait_for_disk = fsync_soon(path, path.parent)

        def wait() -> None:
            with self._translate_errors():
                with contextlib.suppress(FileNotFoundError):
                    wait_for_disk()
                    if _stamp(path) == stored:
                        return
                # Garbage collection has removed the file, and another writer stored it again.
                fsync(path)
                fsync(path.parent)

        return wait

    def _put_at(self, path: Path, data: bytes, sha256: str) -> None:
        temporary = self._tmp / str(uuid.uuid4())
        try:
            with _locked_file(temporary, data):
                try:
                    # Unlike a rename, a link fails if the name is taken. Some file systems have
                    # none (exFAT, SMB, FUSE); there the last of several writers of the same file
                    # remains.
                    path.hardlink_to(temporary)
                except OSError as error:
                    if error.errno not in _NO_LINK:
                        raise
                    if not _holds(path, sha256):
                        temporary.replace(path)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UnavailableError(
                f"The weights in {self._root} cannot be read or written ({error.strerror})."
            ) from error


def _stamp(path: Path) -> tuple[int, int] | None:
    """Return what differs between a file and one that replaced it; None if there is none."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_ctime_ns


def _holds(path: Path, sha256: str) -> bool:
    """Tell whether a file has the digest; a file that has been removed has not."""
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
    """Return the status of a directory entry; None if it has been removed."""
    try:
        return entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return None


@contextlib.contextmanager
def _locked_file(path: Path, data: bytes) -> Iterator[None]:
    """Write a file, and hold its lock until the end of the block."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o444), "wb") as output:
        # Without locks, only the grace period protects the file from garbage collection.
        with contextlib.suppress(OSError):
            fcntl.flock(output, fcntl.LOCK_SH)
        output.write(data)
        output.flush()
        yield


def _is_being_written(path: Path) -> bool:
    """Tell whether the writer of a temporary file still holds its lock."""
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
