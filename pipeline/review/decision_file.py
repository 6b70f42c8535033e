"""The file of decisions: lines of JSON that are only ever added.

A line is on disk before `append` returns. A process that is killed leaves at most an incomplete
last line, which nobody was told was saved; readers leave it out and say so.
"""

import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from pipeline import files
from pipeline.errors import OutputError
from pipeline.review.decisions import Decision, Standing

_log = logging.getLogger(__name__)

FILE_NAME = "decisions.jsonl"
"""Name of the file in the directory of reviews."""


class DecisionFile:
    """The decisions in a directory, kept up to date with what other processes add."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._path = directory / FILE_NAME
        self._restart()

    def _restart(self) -> None:
        self.standing = Standing()
        self._inode = 0
        self._offset = 0
        self._lines = 0
        # Where the incomplete line begins that was told of.
        self._told = -1

    def refresh(self) -> Standing:
        """Read the lines that were added; return what all decisions come to."""
        try:
            stream = self._path.open("rb")
        except FileNotFoundError:
            if self.standing.decisions:
                self._restart()
            return self.standing
        with stream:
            status = os.fstat(stream.fileno())
            # Somebody has put another file in its place, such as one of a backup.
            if status.st_ino != self._inode or status.st_size < self._offset:
                self._restart()
                self._inode = status.st_ino
            stream.seek(self._offset)
            added = stream.read()
        complete, _, rest = added.rpartition(b"\n")
        if complete or added.startswith(b"\n"):
            for line in complete.split(b"\n"):
                self._lines += 1
                self._add(line)
            self._offset += len(added) - len(rest)
        if rest and self._offset != self._told:
            _log.warning("%s: the last line is incomplete, and is left out.", self._path)
            self._told = self._offset
        return self.standing

    def append(self, decisions: Sequence[Decision]) -> None:
        """Add decisions, and wait until they are on disk; those with a known id are there already.

        Call it under `pipeline.files.locked` for the directory.

        Raises
        ------
        OutputError
            If they cannot be written; the file is as it was.
        """
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o644)
        except OSError as error:
            raise self._not_saved(error) from None
        try:
            size = os.fstat(descriptor).st_size
            if size and os.pread(descriptor, 1, size - 1) != b"\n":
                # Otherwise the next line would become part of an incomplete one.
                _write(descriptor, b"\n", size)
                size += 1
            standing = self.refresh()
            lines = [each.as_line() for each in decisions if standing.get(each.id) is None]
            _write(descriptor, b"".join(lines), size)
            if not size:
                files.fsync(self._directory)
        except OSError as error:
            raise self._not_saved(error) from None
        finally:
            os.close(descriptor)
        self.refresh()

    def _add(self, line: bytes) -> None:
        # The end of an incomplete line that the next writer found.
        if not line:
            return
        try:
            self.standing.add(Decision.from_json(json.loads(line)))
        except (ValueError, TypeError) as error:
            _log.warning(
                "%s: line %d is left out (%s).", self._path, self._lines, str(error).split("\n")[0]
            )

    def _not_saved(self, error: OSError) -> OutputError:
        return OutputError(f"{self._path}: the decision is not saved ({error.strerror}).")


def _write(descriptor: int, data: bytes, size: int) -> None:
    """Write to the end of a file and wait for the disk; if that fails, cut the file to `size`."""
    try:
        written = 0
        while written < len(data):
            written += os.write(descriptor, data[written:])
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, size)
        raise
