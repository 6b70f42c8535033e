"""Files below a directory: all of them, or those that a pattern names."""

import re
from collections.abc import Callable, Collection, Iterator
from fnmatch import translate
from itertools import islice
from typing import NamedTuple, Protocol

_ANY_DEPTH = "**"

# Entries of one directory that are sorted together: more of them come in several runs.
_SORTED = 100_000


class Status(Protocol):
    """Of `os.stat_result`, what tells that a file has changed."""

    @property
    def st_size(self) -> int:
        """Bytes."""

    @property
    def st_mtime_ns(self) -> int:
        """When it was last written."""


class Entry(Protocol):
    """What is in a directory; of this machine's, an `os.DirEntry`."""

    @property
    def name(self) -> str:
        """Without its directory."""

    def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether it is a directory, or a link to one."""

    def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether it is a file, or a link to one."""

    def is_symlink(self) -> bool:
        """Tell whether it is a link."""

    def stat(self, *, follow_symlinks: bool = True) -> Status:
        """Return size and time, of the link itself or of what it leads to."""


Scan = Callable[[str], Iterator[Entry]]
"""Yields what is in a directory, in any order."""


class Found(NamedTuple):
    """A file."""

    name: str
    """Below the directory that was looked through."""
    stamp: bytes
    """Its name, size and time."""


class Pattern:
    """Of a path below a directory, as shells have it: ``*``, ``?``, ``[…]``, and ``**``.

    ``**`` stands for any number of directories, or at the end for all that is below. Names that
    begin with a dot are taken only by a part that does, unless hidden ones are asked for.

    A place is a part of the pattern that a name must be next; with ``**`` there may be several.
    """

    def __init__(self, text: str, *, hidden: bool = False) -> None:
        self._takes_all = hidden and text == _ANY_DEPTH
        self._parts = [
            (part == _ANY_DEPTH, part.startswith(".") or hidden, re.compile(translate(part)))
            for part in text.split("/")
        ]

    def start(self) -> frozenset[int]:
        """Return where to begin."""
        return self._opened({0})

    def below(self, places: Collection[int], name: str) -> tuple[frozenset[int], bool]:
        """Return where to go on in a directory, and whether a part names it, not only ``**``."""
        taken = [place for place in places if self._takes(place, name)]
        named = {place + 1 for place in taken if not self._parts[place][0]}
        named -= {len(self._parts)}
        wandered = {place for place in taken if self._parts[place][0]}
        return self._opened(named | wandered), bool(named)

    def ends_with(self, places: Collection[int], name: str) -> bool:
        """Tell whether a file's name is the end of it."""
        if self._takes_all:
            return True
        last = len(self._parts) - 1
        return last in places and self._takes(last, name)

    def _takes(self, place: int, name: str) -> bool:
        _, hidden, expression = self._parts[place]
        return (hidden or not name.startswith(".")) and expression.match(name) is not None

    def _opened(self, places: set[int]) -> frozenset[int]:
        """Add the places that ``**`` lets one go on to, standing for no directory at all."""
        last = len(self._parts) - 1
        for place in sorted(places):
            after = place
            while after < last and self._parts[after][0]:
                after += 1
                places.add(after)
        return frozenset(places)


EVERYTHING = Pattern(_ANY_DEPTH, hidden=True)
"""All that is below a directory."""


def is_pattern(text: str) -> bool:
    """Tell whether a text has what only a pattern means something by."""
    return any(each in text for each in "*?[")


def cut(text: str) -> tuple[str, str]:
    """Return the directory that a pattern begins with, and the pattern below it."""
    parts = text.split("/")
    fixed = next(place for place, part in enumerate(parts) if is_pattern(part))
    return "/".join(parts[:fixed]) or "/", "/".join(parts[fixed:])


def walk(
    scan: Scan, directory: str, pattern: Pattern, suffixes: Collection[str]
) -> Iterator[Found]:
    """Yield files that end so, those of a directory before those below it, each once.

    Links to directories are followed where a part of the pattern names them.
    """
    return _walk(scan, directory, "", pattern, pattern.start(), suffixes)


def _walk(
    scan: Scan,
    directory: str,
    prefix: str,
    pattern: Pattern,
    places: frozenset[int],
    suffixes: Collection[str],
) -> Iterator[Found]:
    below: dict[str, frozenset[int]] = {}
    entries = scan(directory)
    while chunk := sorted(islice(entries, _SORTED), key=lambda entry: entry.name):
        for entry in chunk:
            name = entry.name
            # Of most entries nothing more need be asked.
            is_file = entry.is_file(follow_symlinks=False)
            if not is_file and (inside := _leads_to(entry, pattern, places)):
                below[name] = inside
            elif (
                suffix(name) in suffixes
                and pattern.ends_with(places, name)
                and (is_file or not entry.is_dir(follow_symlinks=False))
            ):
                try:
                    status = entry.stat(follow_symlinks=False)
                except FileNotFoundError:
                    continue
                yield Found(prefix + name, stamp(prefix + name, status))
    for name, inside in sorted(below.items()):
        yield from _walk(scan, f"{directory}/{name}", f"{prefix}{name}/", pattern, inside, suffixes)


def _leads_to(entry: Entry, pattern: Pattern, places: frozenset[int]) -> frozenset[int]:
    """Return where to go on below an entry; nowhere, if it is no directory."""
    if not entry.is_symlink() and not entry.is_dir(follow_symlinks=False):
        return _NOWHERE
    inside, named = pattern.below(places, entry.name)
    try:
        return inside if entry.is_dir(follow_symlinks=named) else _NOWHERE
    except OSError:  # a link to itself
        return _NOWHERE


_NOWHERE: frozenset[int] = frozenset()


def suffix(name: str) -> str:
    """Return the end of a name that tells its format, in lower case."""
    return name[name.rfind(".") :].lower() if "." in name else ""


def stamp(name: str, status: Status) -> bytes:
    """Return what is another when a file is."""
    text = f"{name}\0{status.st_size}\0{status.st_mtime_ns}"
    return text.encode("utf-8", "surrogateescape")
