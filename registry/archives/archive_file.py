"""The file of an export: a tar archive of a manifest and weights.

The first member is ``manifest.json``; the weights follow as ``blobs/<sha256>``. Nothing in a file
is trusted unless digests and hashes confirm it.
"""

import contextlib
import hashlib
import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

from registry.archives.manifest import Manifest, parse_manifest
from registry.blobs import Blobs
from registry.blobs.base import is_digest
from registry.durability import atomic_write
from registry.errors import ArchiveError, UnavailableError

_MANIFEST = "manifest.json"
_MAX_MANIFEST_SIZE = 1 << 30


def write_archive(path: Path, manifest: Manifest, blobs: Blobs) -> None:
    """Write a manifest and its weights to a file, or to a pipe or a device that is there.

    Raises
    ------
    UnavailableError
    MissingBlobError, DamagedBlobError
    """
    try:
        if path.exists() and not path.is_file():
            with path.open("wb") as stream, tarfile.open(fileobj=stream, mode="w|") as archive:
                _add_all(archive, manifest, blobs)
        else:
            # The file that a link leads to is replaced, not the link.
            path = path.resolve()
            with atomic_write(path) as temporary, tarfile.open(temporary, mode="w") as archive:
                _add_all(archive, manifest, blobs)
    except OSError as error:
        raise UnavailableError(f"{path} cannot be written ({error.strerror}).") from error


def _add_all(archive: tarfile.TarFile, manifest: Manifest, blobs: Blobs) -> None:
    _add(archive, _MANIFEST, manifest.to_json())
    for sha256 in sorted(manifest.sizes):
        _add(archive, f"blobs/{sha256}", blobs.get(sha256))


class Archive:
    """An open export.

    Attributes
    ----------
    manifest : Manifest
    """

    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive
        self.manifest = parse_manifest(self._read_first())

    def weights(self) -> Iterator[bytes]:
        """Yield the weights of the versions, each verified against its digest.

        Raises
        ------
        ArchiveError
            If weights are missing, damaged, or not in the manifest.
        """
        sizes = self.manifest.sizes
        missing = set(sizes)
        while (member := self._archive.next()) is not None:
            sha256 = member.name.removeprefix("blobs/")
            is_listed = is_digest(sha256) and sizes.get(sha256) == member.size
            if not is_listed or not _is_plain_file(member):
                raise ArchiveError(
                    "The export is damaged: it holds a member that its manifest does not list."
                )
            weights = self._read(member)
            if hashlib.sha256(weights).hexdigest() != sha256:
                raise ArchiveError(
                    f"The export is damaged: weights do not match their digest {sha256}."
                )
            yield weights
            missing.discard(sha256)
        if missing:
            raise ArchiveError(f"The export is damaged: it lacks the weights {min(missing)}.")

    def _read_first(self) -> bytes:
        first = self._archive.next()
        if (
            first is None
            or first.name != _MANIFEST
            or not _is_plain_file(first)
            or not 0 < first.size <= _MAX_MANIFEST_SIZE
        ):
            raise ArchiveError("This is not an export of a registry: it has no manifest first.")
        return self._read(first)

    def _read(self, member: tarfile.TarInfo) -> bytes:
        stream = self._archive.extractfile(member)
        data = stream.read() if stream is not None else b""
        if len(data) != member.size:
            raise ArchiveError("The export is damaged: it was cut short.")
        return data


@contextlib.contextmanager
def open_archive(path: Path) -> Iterator[Archive]:
    """Open an export.

    Raises
    ------
    ArchiveError
        If it is not an export, or is damaged.
    UnavailableError
        If it cannot be read.
    """
    try:
        with _open(path) as archive:
            yield Archive(archive)
    except (tarfile.TarError, ValueError, OverflowError, EOFError) as error:
        raise ArchiveError(f"{path} is not a digits export, or is damaged ({error}).") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnavailableError(f"{path} cannot be read ({reason}).") from error


@contextlib.contextmanager
def _open(path: Path) -> Iterator[tarfile.TarFile]:
    if path.is_file():
        with (
            _BoundedReader(io.FileIO(path)) as file,
            tarfile.open(fileobj=file, mode="r:") as archive,
        ):
            yield archive
    else:
        # A pipe is read from its beginning to its end, in blocks.
        with path.open("rb") as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            yield archive


class _BoundedReader(io.BufferedReader):
    """A file that is never asked for more bytes than it has: a header can claim any size."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read at most this many bytes, or all that are left."""
        if size is not None:
            size = min(size, os.fstat(self.fileno()).st_size)
        return super().read(size)


def _is_plain_file(member: tarfile.TarInfo) -> bool:
    return member.isreg() and not member.issparse()


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))
