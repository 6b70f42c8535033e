"""Weights as objects in a store that pyarrow.fs supports: ``s3://``, ``gs://``, …."""

import contextlib
import hashlib
from collections.abc import Callable, Iterator

import pyarrow
from pyarrow import fs

from registry.blobs.base import Blobs, StoredBlob, is_digest, unsupported
from registry.errors import UnavailableError


class ObjectBlobs(Blobs):
    """Weights in an object store. It never shows an incomplete object."""

    def __init__(self, address: str) -> None:
        try:
            self._fs, root = fs.FileSystem.from_uri(address)
        except (pyarrow.ArrowException, ValueError):
            # The message of pyarrow may contain the whole address, with secrets.
            raise unsupported(address) from None
        self._root = root.rstrip("/")
        if not self._root:
            raise unsupported(address)

    @property
    def location(self) -> str:
        """The path of the store, starting with the bucket."""
        return str(self._root)

    def location_of(self, sha256: str) -> str:
        """Return the path of a blob, starting with the bucket."""
        return self._path(sha256)

    def has(self, sha256: str) -> bool:
        """Tell whether a blob is stored; its content is not verified."""
        with self._translate_errors():
            info = self._fs.get_file_info(self._path(sha256))
            return bool(info.type == fs.FileType.File)

    def size_of(self, sha256: str) -> int | None:
        """Return the size of a stored blob in bytes; None if it is not stored."""
        with self._translate_errors():
            info = self._fs.get_file_info(self._path(sha256))
            return info.size if info.type == fs.FileType.File else None

    def delete(self, sha256: str) -> None:
        """Remove a blob if it is there."""
        with self._translate_errors(), contextlib.suppress(FileNotFoundError):
            self._fs.delete_file(self._path(sha256))

    def owners(self) -> set[str]:
        """Return the ids of the registries that use the store."""
        selector = fs.FileSelector(f"{self._root}/registries", allow_not_found=True)
        with self._translate_errors():
            return {info.base_name for info in self._fs.get_file_info(selector)}

    def add_owner(self, registry_id: str, address: str) -> None:
        """Record durably that a registry uses the store, with its address for a reader."""
        path = f"{self._root}/registries/{registry_id}"
        with self._translate_errors(), self._fs.open_output_stream(path) as stream:
            stream.write(f"{address}\n".encode())

    def stored(self) -> Iterator[StoredBlob]:
        """Yield the stored blobs, in no particular order."""
        selector = fs.FileSelector(f"{self._root}/sha256", recursive=True, allow_not_found=True)
        with self._translate_errors():
            for info in self._fs.get_file_info(selector):
                if info.type == fs.FileType.File and is_digest(info.base_name):
                    yield StoredBlob(info.base_name, info.size, info.mtime_ns / 1e9)

    def temporary_files(self, before: float) -> Iterator[tuple[str, int]]:  # noqa: ARG002
        """Yield nothing: an interrupted upload leaves no object."""
        return iter(())

    def delete_temporary_file(self, name: str) -> None:
        """Raise an error: there are no temporary files."""
        raise NotImplementedError(name)

    def _path(self, sha256: str) -> str:
        return f"{self._root}/sha256/{sha256[:2]}/{sha256}"

    def _get(self, sha256: str) -> bytes | None:
        with self._translate_errors():
            try:
                with self._fs.open_input_stream(self._path(sha256)) as stream:
                    return bytes(stream.read())
            except FileNotFoundError:
                return None

    def _put(self, data: bytes, sha256: str) -> Callable[[], None]:
        stored = self._get(sha256)
        if stored is None or hashlib.sha256(stored).hexdigest() != sha256:
            path = self._path(sha256)
            with self._translate_errors(), self._fs.open_output_stream(path) as stream:
                stream.write(data)
        return _nothing

    @contextlib.contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except (OSError, pyarrow.ArrowException) as error:
            raise UnavailableError(
                f"The weights in {self._root} cannot be read or written ({error})."
            ) from error


def _nothing() -> None:
    """Wait for nothing: an object is durable once its upload has ended."""
