"""Pruning: old versions → what no version needs any more."""

import json
import logging
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline import files
from pipeline.data.labelled import packs
from pipeline.data.labelled.storage import images_of
from pipeline.errors import DamagedDataError
from pipeline.models import MODEL, open_registry
from pipeline.settings import Settings, load_settings
from pipeline.training.unfinished import only_retraining
from registry import DeletionResult

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Pruned:
    """What was deleted, or would be."""

    versions: DeletionResult
    files: tuple[Path, ...]
    """Sets of labelled images and directories of runs that no version needs."""
    size: int
    """Total size of these files in bytes."""


class Artifact(NamedTuple):
    """A set of labelled images, or the directory of a run."""

    path: Path
    key: str
    """What a version names it by."""
    changed_at: float
    """Seconds since 1970."""


def prune(
    keep: int,
    *,
    older_than: timedelta | None = None,
    reason: str | None = None,
    dry_run: bool = False,
    model: str = MODEL,
    settings: Settings | None = None,
) -> Pruned:
    """Delete old versions, and the labelled images and runs that no version needs any more.

    An image of which one set is left stays; one that no set names any more goes.

    Parameters
    ----------
    keep : int
        The newest versions that stay, at least 1; and the newest runs without a version.
    older_than : timedelta, optional
        Minimum age of what is deleted.
    reason : str, optional
        Why, for the history.
    dry_run : bool, optional
        Delete nothing, and return what would be deleted.
    model : str, optional
    settings : Settings, optional
        Those of the environment by default.

    Raises
    ------
    registry.NotFoundError
        If there is no such model.
    BusyError
        If a retraining runs, and the settings say not to wait for it.
    """
    settings = settings or load_settings()
    before = None if older_than is None else time.time() - older_than.total_seconds()
    # A retraining may be about to register a version of the newest labelled images.
    with only_retraining(settings), open_registry(settings, create=False) as registry:
        result = registry.prune(
            model, keep=keep, older_than=older_than, reason=reason, dry_run=dry_run
        )
        stay = [v for v in registry.versions() if v.reference not in result.versions]
        runs = {version.run_id for version in stay if version.run_id is not None}
        sets = {version.inputs["labelled"] for version in stay if "labelled" in version.inputs}
        unneeded = [
            *unneeded_artifacts(_runs(settings), needed=runs, keep=keep, before=before),
            # The newest set is what the next retraining finds.
            *unneeded_artifacts(_labelled_sets(settings), needed=sets, keep=1, before=before),
        ]
        gone = {path for path in unneeded if path.is_file()}
        unneeded += _records_of(settings, gone)
        images = packs.directory_of(settings.labelled)
        needed = _needed_images(settings, gone)
        if needed is not None:
            unneeded += packs.unneeded(images, needed)
        size = sum(map(_size, unneeded))
        if not dry_run:
            for path in unneeded:
                _remove(path)
            packs.compact(images, needed or {})
    return Pruned(result, tuple(unneeded), size)


def unneeded_artifacts(
    artifacts: Iterable[Artifact], *, needed: Collection[str], keep: int, before: float | None
) -> list[Path]:
    """Return the artifacts that no version needs, without the newest and the young ones."""
    newest_first = sorted(artifacts, key=lambda artifact: artifact.changed_at, reverse=True)
    candidates = [artifact for artifact in newest_first if artifact.key not in needed]
    return sorted(
        artifact.path
        for artifact in candidates[keep:]
        if before is None or artifact.changed_at < before
    )


def _runs(settings: Settings) -> list[Artifact]:
    return [
        Artifact(path, path.name, path.stat().st_mtime)
        for path in _entries(settings.runs)
        if path.is_dir()
    ]


def _labelled_sets(settings: Settings) -> list[Artifact]:
    return [
        Artifact(path, path.stem, path.stat().st_mtime)
        for path in _entries(settings.labelled)
        if path.suffix == ".parquet"
    ]


def _needed_images(
    settings: Settings, gone: Collection[Path]
) -> dict[str, NDArray[np.uint32]] | None:
    """Return the images that the sets name which stay, as ids by pack; None if one is damaged."""
    if not packs.directory_of(settings.labelled).exists():
        return None
    stay = (each.path for each in _labelled_sets(settings) if each.path not in gone)
    try:
        return packs.needed_ids(map(images_of, stay))
    except DamagedDataError as error:
        _log.warning("%s No labelled image is removed, since it may name any.", error)
        return None


def _records_of(settings: Settings, sets: Collection[Path]) -> list[Path]:
    """Return the records of the collections that led to these sets of labelled images."""
    digests = {path.stem for path in sets}
    records = []
    for path in _entries(settings.labelled):
        if path.suffix == ".json":
            reference = json.loads(path.read_text())["reference"]
            if reference is not None and reference["sha256"] in digests:
                records.append(path)
    return records


def _entries(directory: Path) -> list[Path]:
    if not directory.is_dir():
        return []
    return sorted(path for path in directory.iterdir() if not path.name.startswith("."))


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def _remove(path: Path) -> None:
    if path.is_dir():
        files.remove_directory(path)
    else:
        path.unlink()
