"""Where weights are kept: files or objects named by their digest."""

from urllib.parse import unquote, urlsplit

from registry.blobs.base import Blobs, Stored, unsupported
from registry.blobs.directory import DirectoryBlobs

__all__ = ["Blobs", "Stored", "open_blobs"]


def open_blobs(address: str) -> Blobs:
    """Return the store at an address: a path, ``file://…``, or a URL that pyarrow.fs knows."""
    try:
        parts = urlsplit(address)
    except ValueError:
        raise unsupported(address) from None
    if parts.scheme in {"", "file"}:
        return DirectoryBlobs(unquote(parts.path) if parts.scheme else address)
    from registry.blobs.objects import ObjectBlobs

    return ObjectBlobs(address)
