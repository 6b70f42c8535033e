"""The interface of blob stores."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import NamedTuple

from registry.errors import (
    DamagedBlobError,
    MissingBlobError,
    UnsupportedError,
    without_secrets,
)


class StoredBlob(NamedTuple):
    """An entry in the listing of a store."""

    sha256: str
    size: int
    changed_at: float
    """Time of the last change, in seconds since 1970 by the clock of the store."""


class Blobs(ABC):
    """A store of weights under ``sha256/ab/<hex>``.

    Only a digest ever becomes part of a path, never text that a user chose.
    """

    _owner: str | None = None

    def claim(self, registry_id: str, address: str) -> None:
        """Record durably that a registry uses the store, unless that is recorded.

        Raises
        ------
        UnavailableError
        """
        if self._owner != registry_id:
            if registry_id not in self.owners():
                self.add_owner(registry_id, address)
            self._owner = registry_id

    def put(self, data: bytes) -> str:
        """Store data durably and return its SHA-256. Data that is already stored is kept.

        Damaged data under the same digest is replaced, so registering the same weights again
        repairs a registry.

        Raises
        ------
        UnavailableError
        """
        sha256, wait = self.put_soon(data)
        wait()
        return sha256

    def put_soon(self, data: bytes) -> tuple[str, Callable[[], None]]:
        """Store data; return its SHA-256, and a function that waits until it is durable.

        Until then a power loss may leave nothing or half of it. Others may see it, and the same
        data from them is waited for as well.

        Raises
        ------
        UnavailableError
            The function raises it too.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        return sha256, self._put(data, sha256)

    def get(self, sha256: str) -> bytes:
        """Return the data with a digest, verified.

        Raises
        ------
        MissingBlobError, DamagedBlobError, UnavailableError
        """
        # A digest from an edited database can be any text, such as a path.
        data = self._get(sha256) if is_digest(sha256) else None
        if data is None:
            raise MissingBlobError(sha256, self.location_of(sha256))
        got = hashlib.sha256(data).hexdigest()
        if got != sha256:
            raise DamagedBlobError(sha256, got, self.location_of(sha256))
        return data

    @property
    @abstractmethod
    def location(self) -> str:
        """The location of the store, for messages."""

    @abstractmethod
    def location_of(self, sha256: str) -> str:
        """Return the location of a blob, for messages."""

    @abstractmethod
    def has(self, sha256: str) -> bool:
        """Tell whether a blob is stored; its content is not verified."""

    @abstractmethod
    def size_of(self, sha256: str) -> int | None:
        """Return the size of a stored blob in bytes; None if it is not stored."""

    @abstractmethod
    def delete(self, sha256: str) -> None:
        """Remove a blob if it is there."""

    @abstractmethod
    def owners(self) -> set[str]:
        """Return the ids of the registries that use the store."""

    @abstractmethod
    def add_owner(self, registry_id: str, address: str) -> None:
        """Record durably that a registry uses the store, with its address for a reader."""

    @abstractmethod
    def stored(self) -> Iterator[StoredBlob]:
        """Yield the stored blobs, in no particular order."""

    @abstractmethod
    def temporary_files(self, before: float) -> Iterator[tuple[str, int]]:
        """Yield name and size of each file that a killed writer left before a time."""

    @abstractmethod
    def delete_temporary_file(self, name: str) -> None:
        """Remove a file that `temporary_files` named."""

    @abstractmethod
    def _put(self, data: bytes, sha256: str) -> Callable[[], None]: ...

    @abstractmethod
    def _get(self, sha256: str) -> bytes | None: ...


def unsupported(address: str) -> UnsupportedError:
    """Return the error for an address that is not of a blob store."""
    return UnsupportedError(
        "blobs: expected a directory, s3://BUCKET/PREFIX or another address that pyarrow.fs "
        f"supports, got {without_secrets(address)!r}."
    )


def is_digest(text: str) -> bool:
    """Tell whether a text is a SHA-256 in lower-case hexadecimal."""
    return len(text) == 64 and set(text) <= frozenset("0123456789abcdef")
