"""The files to score, cut into shards: a list on disk, which need not fit in memory.

Each shard is a file of names, relative to the directory that was listed, each ended by a NUL,
since a name may hold anything else.
"""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from pipeline import files
from pipeline.decoding import SUFFIXES
from pipeline.errors import InputError

# Names of one directory that are sorted together: more of them come in several runs.
_SORTED = 100_000

_MODULUS = 1 << 256


@dataclass(frozen=True, slots=True)
class Listing:
    """What was found."""

    files: int
    shards: int
    fingerprint: str
    """Of the names, sizes and times of all files, in whatever order they came."""


def write(directory: Path, target: Path, size: int) -> Listing:
    """List the image files in a directory and below it, in shards of a size, into `target`.

    Links to directories are not followed.

    Raises
    ------
    InputError
        Where there is no image file, or no directory.
    """
    found = _found(directory)
    target.mkdir(parents=True, exist_ok=True)
    count = fingerprint = shards = 0
    while chunk := list(islice(found, size)):
        with files.replacing(path(target, shards)) as temporary:
            temporary.write_bytes(b"".join(name + b"\0" for name, _ in chunk))
        for name, status in chunk:
            entry = b"%s\0%d\0%d" % (name, status.st_size, status.st_mtime_ns)
            fingerprint += int.from_bytes(hashlib.sha256(entry).digest())
        count += len(chunk)
        shards += 1
    return Listing(count, shards, f"{fingerprint % _MODULUS:064x}")


def require_images(directory: Path) -> None:
    """Make sure that there is something to list.

    Raises
    ------
    InputError
    """
    next(_found(directory))


def read(target: Path, number: int) -> list[bytes]:
    """Return the names in a shard."""
    return path(target, number).read_bytes().split(b"\0")[:-1]


def path(target: Path, number: int) -> Path:
    """Return the file of a shard."""
    return target / f"{number:06}"


def _found(directory: Path) -> Iterator[tuple[bytes, os.stat_result]]:
    if not directory.is_dir():
        got = "a file" if directory.exists() else "nothing there"
        raise InputError(f"{directory}: expected a directory of images, got {got}.")
    images = _image_files(os.fsencode(directory), b"")
    first = next(images, None)
    if first is None:
        raise InputError(
            f"{directory}: expected image files ({', '.join(sorted(SUFFIXES))}), got none."
        )
    yield first
    yield from images


def _image_files(directory: bytes, prefix: bytes) -> Iterator[tuple[bytes, os.stat_result]]:
    """Yield names and status of image files, those of a directory before those below it."""
    below = []
    with os.scandir(directory) as entries:
        while chunk := sorted(islice(entries, _SORTED), key=lambda entry: entry.name):
            for entry in chunk:
                if entry.is_dir(follow_symlinks=False):
                    below.append(entry.name)
                elif os.path.splitext(entry.name)[1].lower() in _SUFFIXES:  # noqa: PTH122 - bytes
                    try:
                        yield prefix + entry.name, entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue
    for name in sorted(below):
        yield from _image_files(os.path.join(directory, name), prefix + name + b"/")  # noqa: PTH118


_SUFFIXES = frozenset(suffix.encode() for suffix in SUFFIXES)
