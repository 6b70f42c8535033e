"""Weights as files named by their digest."""

import contextlib
import hashlib
import os
import uuid
from pathlib import Path
from urllib.parse import unquote, urlsplit

from registry.errors import DamagedBlobError, MissingBlobError, UnavailableError, UnsupportedError


class DirectoryBlobs:
    """Blobs in a directory, as ``sha256/ab/<hex>``.

    Only a digest ever becomes part of a path; nothing a user chose does.
    """

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        if parts.scheme not in {"", "file"}:
            raise UnsupportedError(f"blobs: expected a directory, got {parts.scheme}://….")
        self._root = Path(unquote(parts.path) if parts.scheme else address)

    def put(self, data: bytes) -> str:
        """Store data durably and return its SHA-256. What is stored already is kept.

        A damaged file under the same digest is replaced, so that registering the same weights
        again heals a registry.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        try:
            self._put(data, sha256)
        except OSError as error:
            raise UnavailableError(
                f"The weights cannot be stored in {self._root} ({error.strerror})."
            ) from error
        return sha256

    def get(self, sha256: str) -> bytes:
        """Return the data with a digest, verified.

        Raises
        ------
        MissingBlobError, DamagedBlobError
        """
        path = self._path(sha256)
        try:
            data = _read(path)
        except FileNotFoundError:
            raise MissingBlobError(sha256, str(path)) from None
        except OSError as error:
            raise UnavailableError(
                f"The weights at {path} cannot be read ({error.strerror})."
            ) from error
        got = hashlib.sha256(data).hexdigest()
        if got != sha256:
            raise DamagedBlobError(sha256, got, str(path))
        return data

    def _path(self, sha256: str) -> Path:
        return self._root / "sha256" / sha256[:2] / sha256

    def _put(self, data: bytes, sha256: str) -> None:
        path = self._path(sha256)
        temporary = self._root / "tmp" / str(uuid.uuid4())
        _make_directories(path.parent)
        _make_directories(temporary.parent)
        try:
            _write(temporary, data)
            try:
                # Unlike a rename, a link fails where the name is taken.
                path.hardlink_to(temporary)
            except FileExistsError:
                if hashlib.sha256(_read(path)).hexdigest() != sha256:
                    temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        _sync(path.parent)


def _write(path: Path, data: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(path, flags, 0o444), "wb") as output:
        output.write(data)
        output.flush()
        os.fsync(output.fileno())


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
    _sync(path.parent)


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
