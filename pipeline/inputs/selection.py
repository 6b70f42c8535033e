"""Which files of an input are taken, what its labels are, and what was left out."""

import logging
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import translate
from functools import cached_property, lru_cache
from typing import Literal

from pipeline.errors import InvalidParameterError

_log = logging.getLogger(__name__)

HIDDEN = "hidden"
EXCLUDED = "not selected"
NOT_LISTED = "directories that cannot be listed"
LINKS = "links to directories"
NO_SUFFIX = "without a suffix"
"""Kinds of what is left out, beside the suffixes of files."""

DIRECTORIES = "directories 0 to 9"
"""What labels may be taken from, beside a label table."""

FOLDERS = "folders"
LABELS = ("auto", FOLDERS)
"""Whether directories 0 to 9 are labels only if no other is beside them, or always."""

Labels = Literal["auto", "folders"]


@dataclass(frozen=True)
class Selection:
    """Which files below directories are taken, and whose directories are labels.

    Raises
    ------
    InvalidParameterError
        If `labels` is not known.
    """

    include: tuple[str, ...] = ()
    """Patterns: if there are any, only files that match one are taken."""
    exclude: tuple[str, ...] = ()
    """Patterns: files and directories that match one are not taken."""
    labels: Labels = "auto"

    def __post_init__(self) -> None:
        if self.labels not in LABELS:
            raise InvalidParameterError("labels", f"one of {', '.join(LABELS)}", self.labels)

    @cached_property
    def takes_all(self) -> bool:
        """Whether there are no patterns."""
        return not self.include and not self.exclude

    def takes(self, path: str) -> bool:
        """Return whether a file with this path, relative to the input, is taken."""
        return not self.excludes(path) and (not self.include or _matches(self.include, path))

    def excludes(self, path: str) -> bool:
        """Return whether a file or a directory with this path is excluded."""
        return bool(self.exclude) and _matches(self.exclude, path)


EVERYTHING_SELECTED = Selection()
"""Takes every image that is not hidden."""


def _matches(patterns: Sequence[str], path: str) -> bool:
    """Return whether a path matches a pattern; one without a slash is for the last part alone."""
    name = path.rpartition("/")[2]
    return any(
        _compiled(pattern).match(path if "/" in pattern else name) is not None
        for pattern in patterns
    )


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(translate(pattern.removeprefix("./")))


@dataclass
class ListingNotes:
    """What a listing tells beside the images it found."""

    left_out: Counter[str] = field(default_factory=Counter)
    """Number of files and directories that were not taken, by kind."""
    label_sources: set[str] = field(default_factory=set)
    """What was taken for labels: ``labels.csv``, ``directories 0 to 9``."""
    not_labels: dict[str, list[str]] = field(default_factory=dict)
    """Directories called 0 to 9 that were not taken for labels, by the reason."""
    unmatched_labels: int = 0
    """Labels of a table that name no image."""

    def add(self, other: "ListingNotes") -> None:
        """Add the notes of another listing."""
        self.left_out.update(other.left_out)
        self.label_sources |= other.label_sources
        self.unmatched_labels += other.unmatched_labels
        for reason, directories in other.not_labels.items():
            self.not_labels.setdefault(reason, []).extend(directories)

    def warn_about_labels(self) -> None:
        """Tell why directories called 0 to 9 were not taken for labels, once for each reason."""
        for reason, parents in self.not_labels.items():
            more = f", and in {len(parents) - 1:,} more directories" if len(parents) > 1 else ""
            _log.warning(
                "%s: the directories called 0 to 9 are not taken for labels, because %s%s. "
                "`--labels folders` takes them.",
                parents[0],
                reason,
                more,
            )
