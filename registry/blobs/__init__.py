"""Blob stores: weights as files or objects named by their digest."""

from urllib.parse import unquote, urlsplit

from registry.blobs.base import Blobs, StoredBlob, unsupported
from registry.blobs.directory import DirectoryBlobs

__all__ = ["Blobs", "StoredBlob", "open_blobs"]


def open_blobs(address: str) -> Blobs:
    """Open a blob store.

    Parameters
    ----------
    address : str
        A path, ``file://…``, or a URL that pyarrow.fs supports.

    Raises
    ------
    UnsupportedError
    """
    try:
        parts = urlsplit(address)
    except ValueError:
        raise unsupported(address) from None
    if parts.scheme in {"", "file"}:
        return DirectoryBlobs(unquote(parts.path) if parts.scheme else address)
    from registry.blobs.objects import ObjectBlobs

    return ObjectBlobs(address)
