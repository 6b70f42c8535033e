"""Decompressing and verifying a file that a mirror sent, in bounded space."""

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO

from pipeline import files
from pipeline.data import idx
from pipeline.data.mnist import IdxFile
from pipeline.errors import MirrorError

GZIP_MAGIC = b"\x1f\x8b"
MAGIC_LENGTH = max(len(GZIP_MAGIC), len(idx.MAGIC))
"""Number of first bytes that show the format of a file."""

_CHUNK = 1 << 20


def check_beginning(beginning: bytes) -> None:
    """Check by its first bytes that a file may be an IDX file, compressed or not.

    Mirrors that are gone, and proxies that ask for a login, often answer with a page and status
    200.

    Raises
    ------
    MirrorError
    """
    if beginning.startswith((GZIP_MAGIC, idx.MAGIC)):
        return
    if not beginning:
        raise MirrorError("sent nothing")
    what = "an HTML page" if beginning.lstrip()[:1] == b"<" else "another format"
    raise MirrorError(f"sent {what}, not an IDX file or a gzip (it begins {beginning[:20]!r})")


def inflated(stream: IO[bytes], limit: int) -> Iterator[bytes]:
    """Yield the decompressed content of a gzip stream, at most `limit` bytes.

    Raises
    ------
    MirrorError
        If it is damaged, ends early or is longer; nothing beyond the limit is decompressed.
    """
    total = 0
    try:
        with gzip.GzipFile(fileobj=stream) as unzipped:
            while chunk := unzipped.read(min(_CHUNK, limit + 1 - total)):
                total += len(chunk)
                if total > limit:
                    raise MirrorError(f"is longer than {limit:,} bytes when decompressed")
                yield chunk
    except EOFError:
        raise MirrorError(
            f"is truncated: the gzip ends after {total:,} decompressed bytes"
        ) from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise MirrorError(f"is a damaged gzip ({error})") from None


def install(stream: BinaryIO, file: IdxFile, target: Path) -> None:
    """Write the IDX file in a stream, compressed or not, to `target` if its digest is right.

    Raises
    ------
    MirrorError
        If the stream is not that file. `target` stays as it was.
    """
    beginning = stream.read(20)
    stream.seek(0)
    check_beginning(beginning)
    gzipped = beginning.startswith(GZIP_MAGIC)
    chunks = inflated(stream, file.size) if gzipped else iter(lambda: stream.read(_CHUNK), b"")
    digest = hashlib.sha256()
    size = 0
    with files.atomic_write(target) as temporary, temporary.open("wb") as output:
        for chunk in chunks:
            digest.update(chunk)
            size += len(chunk)
            output.write(chunk)
        output.flush()
        if size != file.size:
            raise MirrorError(f"has {size:,} bytes, expected {file.size:,}")
        if digest.hexdigest() != file.sha256:
            raise MirrorError(
                f"has the wrong SHA-256: expected {file.sha256}, got {digest.hexdigest()}"
            )
