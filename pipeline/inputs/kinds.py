"""The kinds of files: images, and data sets that hold images; told by suffix or by first bytes."""

import enum
import zlib

from pipeline.images.decoding import SUFFIXES as IMAGE_SUFFIXES
from pipeline.images.decoding import is_image

HEAD = 512
"""Number of first bytes that tell the kind of a file."""


class Kind(enum.Enum):
    """What a file holds."""

    IMAGE = enum.auto()
    PARQUET = enum.auto()
    CSV = enum.auto()
    """A table, perhaps with a column for each pixel."""
    NUMPY = enum.auto()
    NUMPY_ARCHIVE = enum.auto()
    IDX = enum.auto()
    """Of the format of MNIST's own files, perhaps compressed."""
    ZIP = enum.auto()
    TAR = enum.auto()
    """Perhaps compressed."""


Kinds = frozenset[Kind]

ARCHIVES: Kinds = frozenset((Kind.ZIP, Kind.TAR))
"""Kinds of files that hold files."""

DATA_SETS: Kinds = frozenset(Kind) - {Kind.IMAGE}
"""Kinds of files that hold images, and are none."""

_SUFFIXES = {
    ".parquet": Kind.PARQUET,
    ".csv": Kind.CSV,
    ".npy": Kind.NUMPY,
    ".npz": Kind.NUMPY_ARCHIVE,
    ".zip": Kind.ZIP,
    ".tar": Kind.TAR,
    ".tgz": Kind.TAR,
    ".tbz2": Kind.TAR,
    ".txz": Kind.TAR,
}

# Compressed files that have a suffix before this one.
_COMPRESSED = (".gz", ".bz2", ".xz")

_GZIP = b"\x1f\x8b"
_IDX = b"\0\0\x08"

_STARTS = (
    (b"PAR1", Kind.PARQUET),
    (b"PK\x03\x04", Kind.ZIP),
    (b"\x93NUMPY", Kind.NUMPY),
    (_IDX, Kind.IDX),
)

# Where a TAR file says what it is.
_TAR_MARK = slice(257, 262)


def kind_of_name(name: str) -> Kind | None:
    """Return the kind of a file with this name; None if the name does not tell."""
    suffix = suffix_of(name)
    if suffix in IMAGE_SUFFIXES:
        return Kind.IMAGE
    if suffix in _COMPRESSED:
        return Kind.TAR if suffix_of(name[: -len(suffix)]) == ".tar" else None
    return _SUFFIXES.get(suffix)


def kind_of_content(name: str, head: bytes) -> Kind | None:
    """Return the kind of a file whose name does not tell it; None for any other file.

    Parameters
    ----------
    name : str
    head : bytes
        The first bytes, `HEAD` of them.
    """
    if is_image(head):
        return Kind.IMAGE
    if head.startswith(_GZIP):
        return Kind.IDX if _inflated(head).startswith(_IDX) else None
    kind = next((kind for start, kind in _STARTS if head.startswith(start)), None)
    if kind is None and head[_TAR_MARK] == b"ustar":
        kind = Kind.TAR
    # Documents may be ZIP files too.
    return kind if kind is Kind.IDX or not suffix_of(name) else None


def suffix_of(name: str) -> str:
    """Return the suffix of a file's name in lower case, with its dot; empty if there is none."""
    return name[name.rfind(".") :].lower() if "." in name else ""


def _inflated(head: bytes) -> bytes:
    """Return the beginning of what a gzip file with these first bytes holds."""
    try:
        return zlib.decompressobj(wbits=31).decompress(head, 16)
    except zlib.error:
        return b""
