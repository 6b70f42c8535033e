"""Where inputs are: on this machine, or in an object store that pyarrow.fs knows."""

import enum
import os
import string
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

import pyarrow
from pyarrow import fs

from pipeline.errors import InputError
from pipeline.images.decoding import UnreadableImageError
from pipeline.images.reading import MOST_BYTES, NOT_OPENED, TOO_BIG, read_bytes
from pipeline.inputs.globbing import Entry, Status
from pipeline.stages import bounded_map

# Objects that are fetched at once: each takes its time to answer, whatever its size.
_UNDER_WAY = 32


class Kind(enum.Enum):
    """What there is under a path."""

    DIRECTORY = enum.auto()
    FILE = enum.auto()
    NOTHING = enum.auto()


class Store(Protocol):
    """Directories and files; an error of it as a whole is an InputError."""

    def kind_of(self, path: str) -> Kind:
        """Tell what is there."""

    def scan(self, directory: str) -> Iterator[Entry]:
        """Yield what is in a directory."""

    def status(self, path: str) -> Status:
        """Return size and time of a file."""

    def contents(
        self, directory: str, names: Sequence[str], *, confined: bool
    ) -> Iterator[bytes | str]:
        """Yield what each of some files holds, or the reason why it cannot be read.

        Where they are confined, links must not lead out of the directory.
        """

    def open(self, path: str) -> Any:
        """Return a file, as pyarrow reads it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an input is."""

    store: str
    """An address that opens the store; empty for this machine."""
    path: str
    """In the store."""
    shown: str
    """As its user knows it, without what is only for the store."""


def locate(text: str) -> Place:
    """Return where an input is: a path, ``file://…`` or an address that pyarrow.fs knows.

    Raises
    ------
    InputError
        Where the address cannot be used, or holds a password: addresses are recorded.
    """
    if not text:
        raise InputError("Expected directories or files to score, got an empty name.")
    if "://" not in text:
        return Place("", str(Path(text).absolute()), str(Path(text)))
    try:
        parts = urlsplit(text)
        password = parts.password
    except ValueError:
        raise _unusable(text) from None
    if password:
        raise InputError(
            f"An input's address of {parts.scheme}:// has a password: expected credentials in the "
            "environment (AWS_ACCESS_KEY_ID, …) or where else pyarrow looks for them. An address "
            "is recorded beside the predictions."
        )
    files, path = _from_address(text)
    path = path.rstrip("/") or path
    if isinstance(files, fs.LocalFileSystem):
        return Place("", path, path)
    if not path:
        raise _unusable(text)
    # Of most stores the path begins with the bucket, which is the host of the address.
    host = parts.netloc.rpartition("@")[2]
    shown = path if path.partition("/")[0] == host else f"{host}/{path.lstrip('/')}"
    return Place(text, path, f"{parts.scheme}://{shown}")


def open_store(address: str) -> Store:
    """Return the store of a place."""
    return _Objects(address) if address else _THIS_MACHINE


class _ThisMachine:
    """Files of this machine."""

    def kind_of(self, path: str) -> Kind:
        if Path(path).is_dir():
            return Kind.DIRECTORY
        return Kind.FILE if Path(path).exists() else Kind.NOTHING

    def scan(self, directory: str) -> Iterator[Entry]:
        with os.scandir(directory) as entries:
            yield from entries

    def status(self, path: str) -> Status:
        return Path(path).stat()

    def contents(
        self, directory: str, names: Sequence[str], *, confined: bool
    ) -> Iterator[bytes | str]:
        root = directory if confined else None
        for name in names:
            try:
                yield read_bytes(f"{directory}/{name}", root)
            except UnreadableImageError as error:
                yield error.reason

    def open(self, path: str) -> Any:
        return pyarrow.OSFile(path)


_THIS_MACHINE = _ThisMachine()


class _Objects:
    """Objects, by their paths, bucket first."""

    def __init__(self, address: str) -> None:
        self._fs, _ = _from_address(address)

    def kind_of(self, path: str) -> Kind:
        found = self._information(path)
        kinds = {fs.FileType.Directory: Kind.DIRECTORY, fs.FileType.File: Kind.FILE}
        return kinds.get(found.type, Kind.NOTHING)

    def scan(self, directory: str) -> Iterator[Entry]:
        """Yield a directory's entries, of which pyarrow makes a list."""
        try:
            yield from map(_Object, self._fs.get_file_info(fs.FileSelector(directory)))
        except (OSError, pyarrow.ArrowException) as error:
            raise _unreachable(directory, error) from None

    def status(self, path: str) -> Status:
        return _Object(self._information(path)).stat()

    def contents(
        self,
        directory: str,
        names: Sequence[str],
        *,
        confined: bool,  # noqa: ARG002 - there are no links
    ) -> Iterator[bytes | str]:
        with ThreadPoolExecutor(_UNDER_WAY) as pool:
            paths = ((f"{directory}/{name}",) for name in names)
            yield from bounded_map(lambda path: pool.submit(self._content, path), paths, _UNDER_WAY)

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
            # Not one row more: what cannot be reached now may be another time.
            raise _unreachable(path, error) from None

    def _information(self, path: str) -> Any:
        try:
            return self._fs.get_file_info(path)
        except (OSError, pyarrow.ArrowException) as error:
            raise _unreachable(path, error) from None


class _Object:
    """What a store tells of an object, in the words of `os.DirEntry`."""

    def __init__(self, found: Any) -> None:
        self._found = found
        self.name: str = found.base_name
        self.st_size: int = found.size or 0
        self.st_mtime_ns: int = found.mtime_ns or 0

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:  # noqa: ARG002
        return bool(self._found.type == fs.FileType.Directory)

    def is_file(self, *, follow_symlinks: bool = True) -> bool:  # noqa: ARG002
        return bool(self._found.type == fs.FileType.File)

    def is_symlink(self) -> bool:
        return False

    def stat(self, *, follow_symlinks: bool = True) -> Status:  # noqa: ARG002
        return self


# What quotes mean, and what they need not be for: the rest may stand in a name, in an address not.
_IN_ADDRESSES = "%" + string.punctuation.translate(str.maketrans("", "", '%"<>[]\\^`{|}'))


# Connections are kept from shard to shard.
@lru_cache(maxsize=8)
def _from_address(address: str) -> tuple[Any, str]:
    try:
        found: tuple[Any, str] = fs.FileSystem.from_uri(quote(address, _IN_ADDRESSES))
    except (pyarrow.ArrowException, ValueError):
        # What pyarrow says may hold the whole address.
        raise _unusable(address) from None
    except OSError as error:  # such as a bucket whose region cannot be asked for
        raise _unreachable(address.partition("?")[0].rpartition("@")[2], error) from None
    return found


def _unusable(address: str) -> InputError:
    scheme = address.partition("://")[0]
    return InputError(
        f"An input's address of {scheme}:// cannot be used: expected s3://bucket/…, gs://…, "
        "file://… or another one that pyarrow.fs knows, with options that it has."
    )


def _unreachable(path: str, error: Exception) -> InputError:
    return InputError(
        f"{path}: cannot be read ({error}). What was scored stays; run it again when it can be."
    )
