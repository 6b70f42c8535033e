"""ZIP and TAR archives as stores: their members are read in place, and nothing is unpacked.

A compressed TAR can only be read from its start, so it is inflated into a temporary file first.
"""

import bz2
import contextlib
import gzip
import lzma
import tarfile
import tempfile
import threading
import weakref
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

import pyarrow

from pipeline import files
from pipeline.images.reading import MOST_BYTES, NOT_OPENED, TOO_BIG
from pipeline.inputs.globbing import DirEntry, FileType, Status
from pipeline.inputs.kinds import HEAD, Kind
from pipeline.inputs.source import UnusableError

# What members may take together when they are unpacked: so many times the size of the archive,
# or so many bytes if that is more.
_MAX_RATIO = 200
_MIN_LIMIT = 1_000_000_000

_BLOCK = 1 << 20

DAMAGED = "damaged archive"
BOMB = "unpacks to more than 200 times its size"

_DECOMPRESSORS: Any = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}


@dataclass(frozen=True, slots=True)
class _Entry:
    """A member of an archive, or a directory of it, with the interface of `os.DirEntry`."""

    name: str
    status: Status
    member: Any = None
    """None for a directory."""

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:  # noqa: ARG002
        return self.member is None

    def is_file(self, *, follow_symlinks: bool = True) -> bool:  # noqa: ARG002
        return self.member is not None

    def is_symlink(self) -> bool:
        return False

    def stat(self, *, follow_symlinks: bool = True) -> Status:  # noqa: ARG002
        return self.status


@dataclass(frozen=True, slots=True)
class _Status:
    """The size of a member, and what shows whether its archive has changed."""

    st_size: int
    st_mtime_ns: int
    st_ctime_ns: int
    st_ino: int


class _Format(Protocol):
    """Reads one format of archives."""

    def members(self) -> Iterator[tuple[str, int, Any]]:
        """Yield the path, the size and the record of each file."""

    def read(self, member: Any, size: int) -> bytes:
        """Return the first bytes of a file, at most `size`."""


class Archive:
    """The members of an archive; a store.

    Parameters
    ----------
    stream : file
    kind : Kind
        ``ZIP`` or ``TAR``.
    status : Status
        That of the archive.

    Raises
    ------
    UnusableError
        If it is damaged, or would be too large if it was unpacked.
    """

    def __init__(self, stream: IO[bytes], kind: Kind, status: Status) -> None:
        limit = max(_MIN_LIMIT, _MAX_RATIO * status.st_size)
        self._directories: dict[str, dict[str, _Entry]] = {"": {}}
        # Threads share the stream.
        self._lock = threading.Lock()
        try:
            self._format: _Format = _FORMATS[kind](stream, limit)
            for path, size, member in self._format.members():
                limit -= size
                if limit < 0:
                    raise UnusableError(BOMB)
                times = (status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
                self._add(path, _Status(size, *times), member)
        except _ERRORS:
            raise UnusableError(DAMAGED) from None

    def _add(self, path: str, status: _Status, member: Any) -> None:
        parts = [part for part in path.split("/") if part not in ("", ".")]
        # What macOS adds beside the files.
        if not parts or parts[0] == "__MACOSX":
            return
        directory = ""
        for part in parts[:-1]:
            self._directories[directory].setdefault(part, _Entry(part, status))
            directory = f"{directory}/{part}".lstrip("/")
            self._directories.setdefault(directory, {})
        self._directories[directory][parts[-1]] = _Entry(parts[-1], status, member)

    def scan(self, directory: str) -> Iterator[DirEntry]:
        """Yield the entries of a directory."""
        yield from self._directories.get(directory.strip("/"), {}).values()

    def status(self, path: str) -> Status:
        """Return the size of a member."""
        return self._entry(path).status

    def contents(
        self,
        directory: str,
        names: Sequence[str],
        *,
        confined: bool,  # noqa: ARG002 - members are no links
    ) -> Iterator[bytes | str]:
        """Yield the content of each member, or the reason why it cannot be read."""
        for name in names:
            try:
                content = self._read(f"{directory}/{name}", MOST_BYTES + 1)
            except _ERRORS:
                yield NOT_OPENED
            else:
                yield TOO_BIG if len(content) > MOST_BYTES else content

    def heads(self, directory: str, names: Sequence[str]) -> Iterator[bytes]:
        """Yield the first bytes of each member; none if it cannot be read."""
        for name in names:
            try:
                yield self._read(f"{directory}/{name}", HEAD)
            except _ERRORS:
                yield b""

    def open(self, path: str) -> Any:
        """Open a member as a pyarrow file."""
        try:
            content = self._read(path, MOST_BYTES + 1)
        except FileNotFoundError:
            raise
        except _ERRORS as error:
            raise OSError(f"{DAMAGED} ({error})") from None
        if len(content) > MOST_BYTES:
            raise OSError(TOO_BIG)
        return pyarrow.BufferReader(content)

    def file_type(self, path: str) -> FileType:
        """Return whether a path is a file, a directory, or missing."""
        if path.strip("/") in self._directories:
            return FileType.DIRECTORY
        try:
            self._entry(path)
        except FileNotFoundError:
            return FileType.NOT_FOUND
        return FileType.FILE

    def _entry(self, path: str) -> _Entry:
        directory, _, name = path.strip("/").rpartition("/")
        try:
            return self._directories[directory][name]
        except KeyError:
            raise FileNotFoundError(path) from None

    def _read(self, path: str, size: int) -> bytes:
        member = self._entry(path).member
        if member is None:
            raise FileNotFoundError(path)
        with self._lock:
            return self._format.read(member, size)


class _Zip:
    def __init__(self, stream: IO[bytes], _limit: int) -> None:
        self._file = zipfile.ZipFile(stream)

    def members(self) -> Iterator[tuple[str, int, Any]]:
        for member in self._file.infolist():
            if not member.is_dir():
                yield member.filename, member.file_size, member

    def read(self, member: Any, size: int) -> bytes:
        with self._file.open(member) as stream:
            return stream.read(size)


class _Tar:
    def __init__(self, stream: IO[bytes], limit: int) -> None:
        start = stream.read(2)
        stream.seek(0)
        decompressor = _DECOMPRESSORS.get(start)
        self._stream = stream
        if decompressor:
            self._stream = _inflated(decompressor(stream), limit)
            # The file goes with the archive.
            weakref.finalize(self, self._stream.close)

    def members(self) -> Iterator[tuple[str, int, Any]]:
        seen: dict[str, Any] = {}
        with tarfile.open(fileobj=self._stream, mode="r:") as file:
            for member in file:
                # A hard link is an earlier member under another name.
                found = seen.get(member.linkname) if member.islnk() else member
                if found is not None and found.isreg() and not found.issparse():
                    seen[member.name] = found
                    yield member.name, found.size, (found.offset_data, found.size)

    def read(self, member: Any, size: int) -> bytes:
        offset, length = member
        self._stream.seek(offset)
        data = self._stream.read(min(size, length))
        if len(data) < min(size, length):
            raise EOFError
        return data


def _inflated(stream: IO[bytes], limit: int) -> IO[bytes]:
    """Return a temporary file with the rest of a stream, at most `limit` bytes."""
    with files.naming_full_disk(Path(tempfile.gettempdir())), contextlib.ExitStack() as stack:
        file = stack.enter_context(tempfile.TemporaryFile())
        while block := stream.read(_BLOCK):
            limit -= len(block)
            if limit < 0:
                raise UnusableError(BOMB)
            file.write(block)
        file.seek(0)
        stack.pop_all()
    return file


_FORMATS: dict[Kind, Any] = {Kind.ZIP: _Zip, Kind.TAR: _Tar}

# Of damaged, encrypted and unknown archives.
_ERRORS = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    RuntimeError,
    NotImplementedError,
    ValueError,
    KeyError,
)
