"""Files below a directory: all of them, or those that match a pattern."""

import enum
import logging
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import translate
from itertools import islice
from operator import attrgetter
from typing import NamedTuple, Protocol

from pipeline.inputs.kinds import suffix_of
from pipeline.inputs.selection import (
    EXCLUDED,
    FOLDERS,
    HIDDEN,
    LINKS,
    NO_SUFFIX,
    NOT_LISTED,
    ListingNotes,
    Selection,
)

_log = logging.getLogger(__name__)

DIGITS = frozenset("0123456789")
"""The labels, and the names of directories that may be labels."""

_ANY_DEPTH = "**"

# Entries of a directory that are sorted together; a larger directory comes in several sorted runs.
_SORTED = 100_000


class FileType(enum.Enum):
    """What a path is."""

    DIRECTORY = enum.auto()
    FILE = enum.auto()
    NOT_FOUND = enum.auto()


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

TakesContent = Callable[[str, Sequence[str]], Collection[str]]
"""Returns which files are taken for their first bytes, given a directory and their names."""


class ListedFile(NamedTuple):
    """A file that was found below a directory."""

    name: str
    """Path relative to the directory."""
    entry: DirEntry
    label: bool
    """Whether its directory is a label: see `why_no_labels`."""

    def change_stamp(self) -> bytes | None:
        """Return the change stamp of the file, of a link that of its target; None if it is gone."""
        try:
            return change_stamp(self.entry.stat())
        except OSError:  # a link to nothing or to itself, which has a row with the reason
            with suppress(OSError):
                return change_stamp(self.entry.stat(follow_symlinks=False))
        return None


class Pattern:
    """A pattern of paths, as in shells: ``*``, ``?``, ``[…]`` and ``**``.

    ``**`` matches any number of directories; at the end it matches everything below. Names that
    begin with a dot only match parts that do.

    The pattern is matched directory by directory. A position is the index of the part that the
    next name must match; because of ``**`` there may be several positions at a time.
    """

    def __init__(self, text: str) -> None:
        self.matches_all = text == _ANY_DEPTH
        self._parts = [
            (part == _ANY_DEPTH, part.startswith("."), re.compile(translate(part)))
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
        if self.matches_all:
            return not name.startswith(".")
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


EVERYTHING = Pattern(_ANY_DEPTH)
"""Matches every file below a directory that is not hidden, as in an inbox."""


def is_pattern(text: str) -> bool:
    """Return whether a path has characters that are special in patterns."""
    return any(character in text for character in "*?[")


def split_pattern(text: str) -> tuple[str, str]:
    """Split a path into the directory before the first special part, and the pattern."""
    parts = text.split("/")
    fixed = next(index for index, part in enumerate(parts) if is_pattern(part))
    return "/".join(parts[:fixed]) or "/", "/".join(parts[fixed:])


class Filters(NamedTuple):
    """What decides on the files of a walk beside their suffixes, and what notes the others."""

    selection: Selection
    notes: ListingNotes
    takes: TakesContent
    """Tells which files with other suffixes are taken."""


def walk(
    scan: Scan,
    directory: str,
    pattern: Pattern,
    suffixes: Collection[str],
    filters: Filters | None = None,
) -> Iterator[ListedFile]:
    """Yield the matching files with one of these suffixes, or whose content is taken, each once.

    The files of a directory come before those below it. Links to directories are followed if a
    part of the pattern other than ``**`` matches them.
    """
    filters = filters or Filters(Selection(), ListingNotes(), _no_content)
    search = _Search(scan, directory, pattern, suffixes, filters)
    return search.files(_Directory("", pattern.start(), is_label=False))


def _no_content(_directory: str, _names: Sequence[str]) -> frozenset[str]:
    return frozenset()


class _Directory(NamedTuple):
    """A directory that is walked."""

    prefix: str
    """What precedes the names in it; empty for the root."""
    positions: frozenset[int]
    is_label: bool


@dataclass(frozen=True, slots=True)
class _Search:
    """A walk."""

    scan: Scan
    root: str
    pattern: Pattern
    suffixes: Collection[str]
    filters: Filters

    def files(self, directory: _Directory) -> Iterator[ListedFile]:
        """Yield the files of a directory, then those below it."""
        prefix = directory.prefix
        below: dict[str, frozenset[int]] = {}
        path = f"{self.root}/{prefix}".rstrip("/") or "/"
        entries = self._entries(path) if prefix else self.scan(path)
        while chunk := sorted(islice(entries, _SORTED), key=attrgetter("name")):
            yield from self._files_of(chunk, path, directory, below)
        labels = self._labels(below, path)
        for name, inside in sorted(below.items()):
            yield from self.files(_Directory(f"{prefix}{name}/", inside, name in labels))

    def _files_of(
        self,
        chunk: list[DirEntry],
        path: str,
        directory: _Directory,
        below: dict[str, frozenset[int]],
    ) -> Iterator[ListedFile]:
        """Yield the files among some entries, and add the directories to `below`."""
        prefix, positions, is_label = directory
        pattern, suffixes, left_out = self.pattern, self.suffixes, self.filters.notes.left_out
        takes_all, matches_all = self.filters.selection.takes_all, pattern.matches_all
        by_content: Collection[str] | None = None
        for entry in chunk:
            name = entry.name
            # Most entries are files, which need no further system call here.
            is_file = entry.is_file(follow_symlinks=False)
            if not is_file and self._is_directory(entry, directory, below):
                continue
            if name[0] == "." if matches_all else not pattern.matches_file(positions, name):
                left_out[HIDDEN] += matches_all
                continue
            file = prefix + name
            if suffix_of(name) not in suffixes:
                if by_content is None:
                    by_content = self._taken_by_content(chunk, path)
                if name not in by_content:
                    left_out[_kind(entry)] += 1
                    continue
            if takes_all or self._selects(file):
                yield ListedFile(file, entry, is_label)

    def _is_directory(
        self, entry: DirEntry, directory: _Directory, below: dict[str, frozenset[int]]
    ) -> bool:
        """Return whether an entry is a directory; add it to `below` if it is to be walked."""
        path = directory.prefix + entry.name
        if inside := _positions_inside(entry, self.pattern, directory.positions):
            if self.filters.selection.excludes(path):
                self.filters.notes.left_out[EXCLUDED] += 1
            else:
                below[entry.name] = inside
            return True
        if not entry.is_dir(follow_symlinks=False):
            return False
        self.filters.notes.left_out[HIDDEN] += self.pattern.matches_all
        return True

    def _selects(self, file: str) -> bool:
        """Return whether a file is selected, and count it if it is not."""
        is_selected = self.filters.selection.takes(file)
        self.filters.notes.left_out[EXCLUDED] += not is_selected
        return is_selected

    def _taken_by_content(self, chunk: list[DirEntry], path: str) -> Collection[str]:
        """Return the files among some entries whose content is taken."""
        names = [
            entry.name
            for entry in chunk
            if suffix_of(entry.name) not in self.suffixes and not entry.name.startswith(".")
        ]
        return self.filters.takes(path, names)

    def _entries(self, directory: str) -> Iterator[DirEntry]:
        """Yield the entries of a directory below an input, whose loss does not stop a run."""
        try:
            yield from self.scan(directory)
        except (FileNotFoundError, NotADirectoryError):
            # Its owner has removed it since the directory above was listed.
            return
        except PermissionError:
            self.filters.notes.left_out[NOT_LISTED] += 1
            _log.warning("%s: cannot be listed, and is left out. Check its permissions.", directory)

    def _labels(self, names: Collection[str], parent: str) -> Collection[str]:
        """Return which of some directories are labels, and note why others are not."""
        digits = DIGITS.intersection(names)
        if not digits or self.filters.selection.labels == FOLDERS:
            return digits
        reason = why_no_labels(names, parent)
        if reason is None:
            return digits
        self.filters.notes.not_labels.setdefault(reason, []).append(parent)
        return ()


def _kind(entry: DirEntry) -> str:
    """Return what is counted if an entry is left out."""
    if entry.is_symlink() and entry.is_dir():
        return LINKS
    return suffix_of(entry.name) or NO_SUFFIX


def why_no_labels(names: Iterable[str], parent: str) -> str | None:
    """Return why directories are no labels; None if all are called 0 to 9, and are no date.

    Days and months may be called so too: ``2026/11/3``. Their parents are numbers.

    Parameters
    ----------
    names : iterable of str
        The directories that are walked in the same parent. Hidden ones do not matter.
    parent : str
        Path of the parent.
    """
    if parent.rstrip("/").rpartition("/")[2].isdecimal():
        return "they may be days or months"
    others = [name for name in names if name not in DIGITS and not name.startswith(".")]
    return f"{min(others)!r} is beside them" if others else None


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


def change_stamp(status: Status) -> bytes:
    """Return a change stamp: inode, size, mtime and ctime.

    `cp -p`, `rsync -a` and `unzip` keep the mtime, and images of one size may have equal sizes.
    """
    times = (status.st_mtime_ns, status.st_ctime_ns)
    return b"%d %d %d %d" % (status.st_ino, status.st_size, *times)
