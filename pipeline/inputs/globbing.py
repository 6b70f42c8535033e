"""Files below a directory: all of them, or those that match a pattern."""

import logging
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from fnmatch import translate
from itertools import islice
from typing import NamedTuple, Protocol

_log = logging.getLogger(__name__)

DIGITS = frozenset("0123456789")
"""The labels, and the names of directories that may be labels."""

_ANY_DEPTH = "**"

# Entries of a directory that are sorted together; a larger directory comes in several sorted runs.
_SORTED = 100_000


class Status(Protocol):
    """The part of `os.stat_result` that shows whether a file has changed."""

    @property
    def st_size(self) -> int:
        """Size in bytes."""

    @property
    def st_mtime_ns(self) -> int:
        """Time of the last modification, in nanoseconds."""

    @property
    def st_ctime_ns(self) -> int:
        """Time of the last change, in nanoseconds, which no program can set; 0 if not known."""

    @property
    def st_ino(self) -> int:
        """Inode; 0 if there is none."""


class DirEntry(Protocol):
    """An entry of a directory; `os.DirEntry` is one."""

    @property
    def name(self) -> str:
        """The name, without the directory."""

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Return whether it is a directory, or a link to one."""

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Return whether it is a file, or a link to one."""

    def is_symlink(self) -> bool:
        """Return whether it is a link."""

    def stat(self, *, follow_symlinks: bool = True) -> Status:
        """Return inode, size and times, of the link itself or of its target."""


Scan = Callable[[str], Iterator[DirEntry]]
"""Yields the entries of a directory, in any order."""


class ListedFile(NamedTuple):
    """A file that was found below a directory."""

    name: str
    """Path relative to the directory."""
    change_stamp: bytes
    """Name, inode, size and times."""
    label: bool
    """Whether its directory is a label: see `are_labels`."""


class Pattern:
    """A pattern of paths, as in shells: ``*``, ``?``, ``[…]`` and ``**``.

    ``**`` matches any number of directories; at the end it matches everything below. Names that
    begin with a dot only match parts that do, unless `hidden` is true.

    The pattern is matched directory by directory. A position is the index of the part that the
    next name must match; because of ``**`` there may be several positions at a time.
    """

    def __init__(self, text: str, *, hidden: bool = False) -> None:
        self._matches_all = hidden and text == _ANY_DEPTH
        self._parts = [
            (part == _ANY_DEPTH, part.startswith(".") or hidden, re.compile(translate(part)))
            for part in text.split("/")
        ]

    def start(self) -> frozenset[int]:
        """Return the positions at which matching starts."""
        return self._with_empty_matches({0})

    def descend(self, positions: Collection[int], name: str) -> tuple[frozenset[int], bool]:
        """Return the positions inside a directory, and whether a part other than ``**`` matched."""
        matching = [position for position in positions if self._matches(position, name)]
        named = {position + 1 for position in matching if not self._parts[position][0]}
        named -= {len(self._parts)}
        any_depth = {position for position in matching if self._parts[position][0]}
        return self._with_empty_matches(named | any_depth), bool(named)

    def matches_file(self, positions: Collection[int], name: str) -> bool:
        """Return whether a file's name matches the end of the pattern."""
        if self._matches_all:
            return True
        last = len(self._parts) - 1
        return last in positions and self._matches(last, name)

    def _matches(self, position: int, name: str) -> bool:
        _, hidden, expression = self._parts[position]
        return (hidden or not name.startswith(".")) and expression.match(name) is not None

    def _with_empty_matches(self, positions: set[int]) -> frozenset[int]:
        """Add the positions behind each ``**``, which may match no directory at all."""
        last = len(self._parts) - 1
        for position in sorted(positions):
            following = position
            while following < last and self._parts[following][0]:
                following += 1
                positions.add(following)
        return frozenset(positions)


EVERYTHING = Pattern(_ANY_DEPTH, hidden=True)
"""Matches every file below a directory."""


def is_pattern(text: str) -> bool:
    """Return whether a path has characters that are special in patterns."""
    return any(character in text for character in "*?[")


def split_pattern(text: str) -> tuple[str, str]:
    """Split a path into the directory before the first special part, and the pattern."""
    parts = text.split("/")
    fixed = next(index for index, part in enumerate(parts) if is_pattern(part))
    return "/".join(parts[:fixed]) or "/", "/".join(parts[fixed:])


def walk(
    scan: Scan, directory: str, pattern: Pattern, suffixes: Collection[str]
) -> Iterator[ListedFile]:
    """Yield the matching files with one of these suffixes, each once.

    The files of a directory come before those below it. Links to directories are followed if a
    part of the pattern other than ``**`` matches them.
    """
    root = _Directory("", pattern.start(), is_label=False)
    return _walk(scan, directory, root, pattern, suffixes)


class _Directory(NamedTuple):
    """A directory that is walked."""

    prefix: str
    """What precedes the names in it; empty for the root."""
    positions: frozenset[int]
    is_label: bool


def _walk(
    scan: Scan,
    root: str,
    directory: _Directory,
    pattern: Pattern,
    suffixes: Collection[str],
) -> Iterator[ListedFile]:
    prefix, positions, is_label = directory
    below: dict[str, frozenset[int]] = {}
    path = f"{root}/{prefix}".rstrip("/") or "/"
    entries = _entries(scan, path) if prefix else scan(path)
    while chunk := sorted(islice(entries, _SORTED), key=lambda entry: entry.name):
        for entry in chunk:
            name = entry.name
            # Most entries are files, which need no further system call here.
            is_file = entry.is_file(follow_symlinks=False)
            if not is_file and (inside := _positions_inside(entry, pattern, positions)):
                below[name] = inside
            elif (
                suffix(name) in suffixes
                and pattern.matches_file(positions, name)
                and (is_file or not entry.is_dir(follow_symlinks=False))
                and (status := _status(entry))
            ):
                file = prefix + name
                yield ListedFile(file, change_stamp(file, status), is_label)
    for name, inside in sorted(below.items()):
        child = _Directory(f"{prefix}{name}/", inside, are_labels(below, path))
        yield from _walk(scan, root, child, pattern, suffixes)


def are_labels(names: Iterable[str], parent: str) -> bool:
    """Return whether directories are labels: they are all called 0 to 9, and no date.

    Days and months may be called so too: ``2026/11/3``. Their parents are numbers.

    Parameters
    ----------
    names : iterable of str
        The directories that are walked in the same parent. Hidden ones do not matter.
    parent : str
        Path of the parent.
    """
    is_date = parent.rstrip("/").rpartition("/")[2].isdecimal()
    return not is_date and all(name in DIGITS or name.startswith(".") for name in names)


def _entries(scan: Scan, directory: str) -> Iterator[DirEntry]:
    """Yield the entries of a directory below an input, whose loss does not stop a run."""
    try:
        yield from scan(directory)
    except (FileNotFoundError, NotADirectoryError):
        # Its owner has removed it since the directory above was listed.
        return
    except PermissionError:
        _log.warning("%s: cannot be listed, and is left out. Check its permissions.", directory)


def _status(entry: DirEntry) -> Status | None:
    """Return the status of what reading an entry would read; None if the entry is gone."""
    try:
        return entry.stat()
    except OSError:  # a link to nothing or to itself, which has a row with the reason
        with suppress(FileNotFoundError):
            return entry.stat(follow_symlinks=False)
    return None


def _positions_inside(
    entry: DirEntry, pattern: Pattern, positions: frozenset[int]
) -> frozenset[int]:
    """Return the positions inside an entry; none if it is not a directory to descend into."""
    if not entry.is_symlink() and not entry.is_dir(follow_symlinks=False):
        return _NOWHERE
    inside, named = pattern.descend(positions, entry.name)
    try:
        return inside if entry.is_dir(follow_symlinks=named) else _NOWHERE
    except OSError:  # a link to itself
        return _NOWHERE


_NOWHERE: frozenset[int] = frozenset()


def suffix(name: str) -> str:
    """Return the suffix of a file's name in lower case, with its dot; empty if there is none."""
    return name[name.rfind(".") :].lower() if "." in name else ""


def change_stamp(name: str, status: Status) -> bytes:
    """Return a change stamp: name, inode, size, mtime and ctime.

    `cp -p`, `rsync -a` and `unzip` keep the mtime, and images of one size may have equal sizes.
    """
    times = f"{status.st_mtime_ns}\0{status.st_ctime_ns}"
    return f"{name}\0{status.st_ino}\0{status.st_size}\0{times}".encode("utf-8", "surrogateescape")
