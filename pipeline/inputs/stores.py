"""The stores of inputs: this machine, and the object stores that pyarrow.fs knows."""

import logging
import os
import string
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

import pyarrow
from pyarrow import fs

from pipeline.errors import InputError
from pipeline.images.decoding import UnreadableImageError
from pipeline.images.reading import (
    LINK_OUT,
    MOST_BYTES,
    NOT_OPENED,
    TOO_BIG,
    read_bytes,
    read_head,
)
from pipeline.inputs.archives import Archive
from pipeline.inputs.globbing import DirEntry, FileType, Status
from pipeline.inputs.kinds import HEAD, Kind
from pipeline.stages import bounded_map

_log = logging.getLogger(__name__)

# Objects that are fetched at a time. Small objects too take some time to answer.
_CONCURRENT = 32


class Store(Protocol):
    """Directories and files. If the store as a whole fails, its methods raise InputError."""

    def file_type(self, path: str) -> FileType:
        """Return whether a path is a file, a directory, or missing; links are followed."""

    def scan(self, directory: str) -> Iterator[DirEntry]:
        """Yield the entries of a directory."""

    def status(self, path: str) -> Status:
        """Return the inode, size and times of a file."""

    def contents(
        self, directory: str, names: Sequence[str], *, confined: bool
    ) -> Iterator[bytes | str]:
        """Yield the content of each file, or the reason why it cannot be read.

        If `confined`, a file is refused if links lead out of the directory.
        """

    def heads(self, directory: str, names: Sequence[str]) -> Iterator[bytes]:
        """Yield the first bytes of each file; none of what cannot be read or is no file."""

    def open(self, path: str) -> Any:
        """Open a file as a pyarrow file."""


@dataclass(frozen=True, slots=True)
class Location:
    """Where an input is."""

    store: str
    """Address that opens the store; empty for this machine."""
    path: str
    """Path in the store."""
    display: str
    """The path or address as users know it, without the options of the store."""


def locate(text: str) -> Location:
    """Return the location of an input: a path, ``file://…`` or an address that pyarrow.fs knows.

    Raises
    ------
    InputError
        If the address is invalid, or has a password: addresses are recorded.
    """
    if not text:
        raise InputError("Expected directories or files to score, got an empty name.")
    if "://" not in text:
        return Location("", str(Path(text).absolute()), str(Path(text)))
    try:
        parts = urlsplit(text)
        password = parts.password
    except ValueError:
        raise _unusable(text) from None
    if password:
        raise InputError(
            f"An input's address of {parts.scheme}:// has a password: expected credentials in the "
            "environment (AWS_ACCESS_KEY_ID, …), or in another place where pyarrow looks for them. "
            "The address is recorded beside the predictions."
        )
    files, path = _from_address(text)
    path = path.rstrip("/") or path
    if isinstance(files, fs.LocalFileSystem):
        return Location("", path, path)
    if not path:
        raise _unusable(text)
    # In most stores the path begins with the bucket, which is the host of the address.
    host = parts.netloc.rpartition("@")[2]
    display = path if path.partition("/")[0] == host else f"{host}/{path.lstrip('/')}"
    return Location(text, path, f"{parts.scheme}://{display}")


def open_store(address: str) -> Store:
    """Return the store with this address; an empty address is this machine.

    Raises
    ------
    UnusableError
        If it is an archive that cannot be read.
    """
    if not address:
        return _THIS_MACHINE
    if "\0" not in address:
        return _Objects(address)
    kind, store, path = address.split("\0")
    status = open_store(store).status(path)
    times = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    return _open_archive(kind, store, path, times)


def archive_address(kind: Kind, store: str, path: str) -> str:
    """Return the address of an archive in a store."""
    return f"{kind.name}\0{store}\0{path}"


# A process reads one shard after another, mostly of the same archive. One that has changed has
# other times.
@lru_cache(maxsize=2)
def _open_archive(kind: str, store: str, path: str, _times: tuple[int, ...]) -> Store:
    outer = open_store(store)
    return Archive(outer.open(path), Kind[kind], outer.status(path))


class _ThisMachine:
    """The file system of this machine."""

    def file_type(self, path: str) -> FileType:
        if Path(path).is_dir():
            return FileType.DIRECTORY
        return FileType.FILE if Path(path).exists() else FileType.NOT_FOUND

    def scan(self, directory: str) -> Iterator[DirEntry]:
        with os.scandir(directory) as entries:
            yield from entries

    def status(self, path: str) -> Status:
        return os.stat(path)  # noqa: PTH116 - with a Path it takes twice as long

    def contents(
        self, directory: str, names: Sequence[str], *, confined: bool
    ) -> Iterator[bytes | str]:
        root = directory if confined else None
        inside = lru_cache(maxsize=1024)(partial(_is_inside, directory))
        for name in names:
            # The last part of a name may be a link too, which is followed only inside.
            if confined and not inside(name.rpartition("/")[0]):
                yield LINK_OUT
                continue
            try:
                yield read_bytes(f"{directory}/{name}", root)
            except UnreadableImageError as error:
                yield error.reason

    def heads(self, directory: str, names: Sequence[str]) -> Iterator[bytes]:
        for name in names:
            yield read_head(f"{directory}/{name}", HEAD)

    def open(self, path: str) -> Any:
        # As bytes, because a path need not be UTF-8.
        return pyarrow.OSFile(os.fsencode(path))


def _is_inside(directory: str, name: str) -> bool:
    """Return whether a directory with this relative name is inside another, links followed."""
    if not name:
        return True
    root = Path(os.path.realpath(directory))
    return Path(os.path.realpath(f"{directory}/{name}")).is_relative_to(root)


_THIS_MACHINE = _ThisMachine()


class _Objects:
    """An object store; its paths begin with the bucket."""

    def __init__(self, address: str) -> None:
        self._fs, _ = _from_address(address)

    def file_type(self, path: str) -> FileType:
        types = {fs.FileType.Directory: FileType.DIRECTORY, fs.FileType.File: FileType.FILE}
        found = types.get(self._information(path).type, FileType.NOT_FOUND)
        # An object `both`, such as the mark of a directory, may be beside `both/x.png`.
        is_mark = found is FileType.FILE and "." not in path.rpartition("/")[2]
        return FileType.DIRECTORY if is_mark and any(self.scan(path)) else found

    def scan(self, directory: str) -> Iterator[DirEntry]:
        """Yield a directory's entries; pyarrow lists them all at once."""
        try:
            found = self._fs.get_file_info(fs.FileSelector(directory, allow_not_found=True))
        except (OSError, pyarrow.ArrowException) as error:
            raise _unreachable(directory, error) from None
        for information in found:
            # pyarrow lists the directory in itself if a key has an empty part.
            if information.path == directory:
                _log.warning("%s//: left out, because these keys have an empty part.", directory)
            else:
                yield _Object(information)

    def status(self, path: str) -> Status:
        return _Object(self._information(path)).stat()

    def contents(
        self,
        directory: str,
        names: Sequence[str],
        *,
        confined: bool,  # noqa: ARG002 - an object store has no links
    ) -> Iterator[bytes | str]:
        with ThreadPoolExecutor(_CONCURRENT) as pool:
            paths = ((f"{directory}/{name}",) for name in names)
            yield from bounded_map(
                lambda path: pool.submit(self._content, path), paths, _CONCURRENT
            )

    def heads(self, directory: str, names: Sequence[str]) -> Iterator[bytes]:
        with ThreadPoolExecutor(_CONCURRENT) as pool:
            paths = ((f"{directory}/{name}",) for name in names)
            yield from bounded_map(lambda path: pool.submit(self._head, path), paths, _CONCURRENT)

    def open(self, path: str) -> Any:
        try:
            return self._fs.open_input_file(path)
        except FileNotFoundError:
            raise
        except (OSError, pyarrow.ArrowException) as error:
            raise _unreachable(path, error) from None

    def _content(self, path: str) -> bytes | str:
        try:
            with self._fs.open_input_file(path) as stream:
                return TOO_BIG if stream.size() > MOST_BYTES else bytes(stream.read())
        except FileNotFoundError:
            return NOT_OPENED
        except (OSError, pyarrow.ArrowException) as error:
            if "ACCESS_DENIED" in str(error):
                return NOT_OPENED
            # The run stops: a row with an error would stay, and the store may work again later.
            raise _unreachable(path, error) from None

    def _head(self, path: str) -> bytes:
        try:
            with self._fs.open_input_stream(path, buffer_size=0) as stream:
                return bytes(stream.read(HEAD))
        except (OSError, pyarrow.ArrowException):
            return b""

    def _information(self, path: str) -> Any:
        try:
            return self._fs.get_file_info(path)
        except (OSError, pyarrow.ArrowException) as error:
            raise _unreachable(path, error) from None


class _Object:
    """A `pyarrow.fs.FileInfo` with the interface of `os.DirEntry`."""

    def __init__(self, information: Any) -> None:
        self._type = information.type
        self.name: str = information.base_name
        self.st_size: int = information.size or 0
        self.st_mtime_ns: int = information.mtime_ns or 0
        self.st_ctime_ns = self.st_ino = 0

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:  # noqa: ARG002
        return bool(self._type == fs.FileType.Directory)

    def is_file(self, *, follow_symlinks: bool = True) -> bool:  # noqa: ARG002
        return bool(self._type == fs.FileType.File)

    def is_symlink(self) -> bool:
        return False

    def stat(self, *, follow_symlinks: bool = True) -> Status:  # noqa: ARG002
        return self


# Characters that are not quoted in an address: those with a meaning, and those that need no
# quoting. All others may be in a name, but not in an address.
_IN_ADDRESSES = "%" + string.punctuation.translate(str.maketrans("", "", '%"<>[]\\^`{|}'))


# Connections are kept for the next shard.
@lru_cache(maxsize=8)
def _from_address(address: str) -> tuple[Any, str]:
    try:
        opened: tuple[Any, str] = fs.FileSystem.from_uri(quote(address, _IN_ADDRESSES))
    except (pyarrow.ArrowException, ValueError):
        # pyarrow's message may quote the whole address.
        raise _unusable(address) from None
    except OSError as error:  # such as a bucket whose region cannot be looked up
        raise _unreachable(address.partition("?")[0].rpartition("@")[2], error) from None
    return opened


def _unusable(address: str) -> InputError:
    scheme = address.partition("://")[0]
    return InputError(
        f"An input's address of {scheme}:// cannot be used: expected s3://bucket/…, gs://…, "
        "file://… or another address that pyarrow.fs knows, with valid options."
    )


def _unreachable(path: str, error: Exception) -> InputError:
    return InputError(
        f"{path}: cannot be read ({error}). Predictions so far are kept: run it again later."
    )
