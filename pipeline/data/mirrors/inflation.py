"""Turning what a source sent into a verified file, in bounded space."""

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, BinaryIO

from pipeline import files
from pipeline.data import idx
from pipeline.data.mnist import IdxFile
from pipeline.errors import SourceError

GZIP_MAGIC = b"\x1f\x8b"
ENOUGH = max(len(GZIP_MAGIC), len(idx.MAGIC))
"""Bytes that tell what a file is."""

_CHUNK = 1 << 20


def check_beginning(beginning: bytes) -> None:
    """Refuse what cannot be an IDX file, compressed or not, by its first bytes.

    Mirrors that are gone or guarded like to answer with a page and status 200.
    """
    if beginning.startswith((GZIP_MAGIC, idx.MAGIC)):
        return
    if not beginning:
        raise SourceError("sent nothing")
    what = "an HTML page" if beginning.lstrip()[:1] == b"<" else "something else"
    raise SourceError(f"sent {what}, not an IDX file or a gzip (it begins {beginning[:20]!r})")


def inflated(stream: IO[bytes], limit: int) -> Iterator[bytes]:
    """Yield the decompressed content of a gzip stream, at most `limit` bytes of it.

    Raises
    ------
    SourceError
        Where it is damaged, ends early, or is longer; nothing beyond the limit is inflated.
    """
    total = 0
    try:
        with gzip.GzipFile(fileobj=stream) as unzipped:
            while chunk := unzipped.read(min(_CHUNK, limit + 1 - total)):
                total += len(chunk)
                if total > limit:
                    raise SourceError(f"inflates past the {limit:,} bytes it should have")
                yield chunk
    except EOFError:
        raise SourceError(f"is truncated: the gzip ends after {total:,} bytes inflated") from None
    except (gzip.BadGzipFile, zlib.error) as error:
        raise SourceError(f"is a damaged gzip ({error})") from None


def install(stream: BinaryIO, file: IdxFile, target: Path) -> None:
    """Write the IDX file in a stream, gzipped or plain, to `target` if its digest is right.

    Raises
    ------
    SourceError
        Where the stream is not that file. `target` is left as it was.
    """
    beginning = stream.read(20)
    stream.seek(0)
    check_beginning(beginning)
    gzipped = beginning.startswith(GZIP_MAGIC)
    chunks = inflated(stream, file.size) if gzipped else iter(lambda: stream.read(_CHUNK), b"")
    digest = hashlib.sha256()
    size = 0
    with files.replacing(target) as temporary, temporary.open("wb") as output:
        for chunk in chunks:
            digest.update(chunk)
            size += len(chunk)
            output.write(chunk)
        output.flush()
        if size != file.size:
            raise SourceError(f"has {size:,} bytes, expected {file.size:,}")
        if digest.hexdigest() != file.sha256:
            raise SourceError(
                f"has the wrong SHA-256: expected {file.sha256}, got {digest.hexdigest()}"
            )
