"""A chain of mirrors: the first that delivers a file with the right digest is used."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

from pipeline import files
from pipeline.data.mirrors.directory import DirectoryMirror
from pipeline.data.mirrors.package_index import PackageIndex
from pipeline.data.mirrors.web import WebMirror
from pipeline.data.mnist import Dataset, IdxFile
from pipeline.errors import Failure, MirrorError, NoMirrorLeftError

_log = logging.getLogger(__name__)


class Mirror(Protocol):
    """A place that may have the files of a data set."""

    @property
    def name(self) -> str:
        """The name in messages."""

    def deliver(self, file: IdxFile, target: Path) -> None:
        """Write the verified file to `target`, or raise `MirrorError` and write nothing."""


def mirrors_of(dataset: Dataset, mirrors: Sequence[str]) -> list[Mirror]:
    """Return all mirrors in the order in which they are tried; the package index comes last.

    Parameters
    ----------
    dataset : Dataset
    mirrors : sequence of str
        Base URLs (``http``, ``https``) or directories (a path, or ``file://``).
    """
    return [*map(_mirror, mirrors), PackageIndex(dataset)]


def _mirror(address: str) -> Mirror:
    parts = urlsplit(address)
    if parts.scheme in {"http", "https"}:
        return WebMirror(address)
    path = unquote(parts.path) if parts.scheme == "file" else address
    return DirectoryMirror(Path(path).expanduser())


class Chain:
    """Mirrors in the order in which they are tried.

    A mirror that is down (unreachable, or 5xx after every attempt) is not asked for the next file,
    so it is waited for only once.
    """

    def __init__(self, mirrors: Sequence[Mirror]) -> None:
        self._mirrors = mirrors
        self._down: dict[Mirror, Failure] = {}

    def fetch(self, file: IdxFile, target: Path) -> bool:
        """Make sure that `target` is the file, with the right digest.

        Returns
        -------
        bool
            Whether it was downloaded; False if it was there already.

        Raises
        ------
        NoMirrorLeftError
            If every mirror failed; it has the reason of each.
        """
        if target.exists():
            if files.sha256(target) == file.sha256:
                return False
            _log.warning("%s is damaged (wrong SHA-256) and is downloaded again.", target)
        failures = []
        for mirror in self._mirrors:
            failure = self._down.get(mirror) or self._attempt(mirror, file, target)
            if failure is None:
                return True
            failures.append(failure)
        raise NoMirrorLeftError(file.name, failures)

    def _attempt(self, mirror: Mirror, file: IdxFile, target: Path) -> Failure | None:
        try:
            mirror.deliver(file, target)
        except MirrorError as error:
            failure = Failure(mirror.name, error.reason, error.transient)
            _log.warning("%s %s (looking for %s).", mirror.name, error.reason, file.name)
            if error.transient:
                self._down[mirror] = failure
            return failure
        _log.info("%s: downloaded from %s, SHA-256 verified.", file.name, mirror.name)
        return None
