"""Weights as objects in a store that pyarrow.fs knows: ``s3://``, ``gs://``, …."""

import contextlib
import hashlib
from collections.abc import Iterator

import pyarrow
from pyarrow import fs

from registry.blobs.base import Blobs, Stored, is_digest, unsupported
from registry.errors import UnavailableError


class ObjectBlobs(Blobs):
    """Weights in an object store, where an object is there as a whole or not at all."""

    def __init__(self, address: str) -> None:
        try:
            self._fs, root = fs.FileSystem.from_uri(address)
        except (pyarrow.ArrowException, ValueError):
            # What pyarrow says may hold the whole address.
            raise unsupported(address) from None
        self._root = root.rstrip("/")
        if not self._root:
            raise unsupported(address)

    def place_of(self, sha256: str) -> str:
        """Return the path of a blob, bucket first."""
        return self._path(sha256)

    def has(self, sha256: str) -> bool:
        """Tell whether there is anything under a digest."""
        with self._translated():
            found = self._fs.get_file_info(self._path(sha256))
            return bool(found.type == fs.FileType.File)

    def delete(self, sha256: str) -> None:
        """Remove a blob, if it is there."""
        with self._translated(), contextlib.suppress(FileNotFoundError):
            self._fs.delete_file(self._path(sha256))

    def stored(self) -> Iterator[Stored]:
        """List what is there, in no order."""
        selector = fs.FileSelector(f"{self._root}/sha256", recursive=True, allow_not_found=True)
        with self._translated():
            for found in self._fs.get_file_info(selector):
                if found.type == fs.FileType.File and is_digest(found.base_name):
                    yield Stored(found.base_name, found.size, found.mtime_ns / 1e9)

    def temporary_files(self, before: float) -> Iterator[tuple[str, int]]:  # noqa: ARG002
        """List nothing: an upload that was cut off leaves no object."""
        return iter(())

    def delete_temporary_file(self, name: str) -> None:
        """Never called: there are none."""
        raise NotImplementedError(name)

    def _path(self, sha256: str) -> str:
        return f"{self._root}/sha256/{sha256[:2]}/{sha256}"

    def _get(self, sha256: str) -> bytes | None:
        with self._translated():
            try:
                with self._fs.open_input_stream(self._path(sha256)) as stream:
                    return bytes(stream.read())
            except FileNotFoundError:
                return None

    def _put(self, data: bytes, sha256: str) -> None:
        kept = self._get(sha256)
        if kept is not None and hashlib.sha256(kept).hexdigest() == sha256:
            return
        with self._translated(), self._fs.open_output_stream(self._path(sha256)) as stream:
            stream.write(data)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (OSError, pyarrow.ArrowException) as error:
            raise UnavailableError(
                f"The weights in {self._root} cannot be read or written ({error})."
            ) from error
