"""What every store of weights does."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import NamedTuple

from registry.errors import (
    DamagedBlobError,
    MissingBlobError,
    UnsupportedError,
    without_secrets,
)


class Stored(NamedTuple):
    """A blob as a listing of the store shows it, its contents not looked at."""

    sha256: str
    size: int
    changed_at: float
    """Seconds since 1970, by the store's clock."""


class Blobs(ABC):
    """Weights under ``sha256/ab/<hex>``.

    Only a digest ever becomes part of a path; nothing a user chose does.
    """

    def put(self, data: bytes) -> str:
        """Store data durably and return its SHA-256. What is stored already is kept.

        Damaged data under the same digest is replaced, so that registering the same weights
        again heals a registry.
        """
        sha256 = hashlib.sha256(data).hexdigest()
        self._put(data, sha256)
        return sha256

    def get(self, sha256: str) -> bytes:
        """Return the data with a digest, verified.

        Raises
        ------
        MissingBlobError, DamagedBlobError
        """
        # What stands in a database may be anything, a path among it.
        data = self._get(sha256) if is_digest(sha256) else None
        if data is None:
            raise MissingBlobError(sha256, self.place_of(sha256))
        got = hashlib.sha256(data).hexdigest()
        if got != sha256:
            raise DamagedBlobError(sha256, got, self.place_of(sha256))
        return data

    @abstractmethod
    def place_of(self, sha256: str) -> str:
        """Return where a blob is, for people."""

    @abstractmethod
    def has(self, sha256: str) -> bool:
        """Tell whether there is anything under a digest."""

    @abstractmethod
    def delete(self, sha256: str) -> None:
        """Remove a blob, if it is there."""

    @abstractmethod
    def stored(self) -> Iterator[Stored]:
        """List what is there, in no order."""

    @abstractmethod
    def temporary_files(self, before: float) -> Iterator[tuple[str, int]]:
        """List names and sizes of what killed writers left, unchanged since a time."""

    @abstractmethod
    def delete_temporary_file(self, name: str) -> None:
        """Remove one of them."""

    @abstractmethod
    def _put(self, data: bytes, sha256: str) -> None: ...

    @abstractmethod
    def _get(self, sha256: str) -> bytes | None: ...


def unsupported(address: str) -> UnsupportedError:
    """Return the error for an address of no store."""
    return UnsupportedError(
        "blobs: expected a directory, s3://BUCKET/PREFIX or another address that pyarrow.fs "
        f"knows, got {without_secrets(address)!r}."
    )


def is_digest(text: str) -> bool:
    """Tell whether a name in a store is that of a blob."""
    return len(text) == 64 and set(text) <= frozenset("0123456789abcdef")
