"""An inbox: a directory that image files are dropped into, each of which is scored once.

Files that are whole are moved out of the inbox into a batch, a directory of the outbox, which is
then scored. A rename is all or nothing, so a file is at any moment either in the inbox or in one
batch. At most one batch is under way; a file in the outbox names it before anything is moved, so
that a run that was killed is finished by the next one, before that takes new files.
"""

import logging
import os
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from pipeline import files
from pipeline.errors import InputError, InvalidParameterError, OutputError
from pipeline.images.decoding import SUFFIXES
from pipeline.jobs import scoring
from pipeline.scoring.outcome import SUMMARY, Options, Scoring
from pipeline.settings import Settings, load_settings

_log = logging.getLogger(__name__)

SETTLE = 5.0
"""Seconds for which a file must not change before it is taken to be whole."""

IMAGES = "images"
"""Of a batch: the files that were taken, under the names they had in the inbox."""

# Of the outbox: the name of the batch that is not done yet.
_UNDER_WAY = ".under-way"

# What a file's status must keep saying.
_Status = tuple[int, int, int, int]


def score_inbox(
    inbox: Path,
    outbox: Path,
    *,
    model: str = "mnist@champion",
    settle: float = SETTLE,
    options: Options | None = None,
    min_confidence: float | None = None,
    settings: Settings | None = None,
) -> list[Scoring]:
    """Score the image files that are in an inbox, and move them out of it.

    Every file is scored once, whenever this is killed and run again. A name that comes again is
    a new file. Files whose names, or whose directories' names, begin with a dot are left alone,
    as are those that are no images by their suffix.

    Parameters
    ----------
    inbox : Path
        A directory. Directories below it stay, and files in them keep their paths.
    outbox : Path
        A directory on the same file system; it gets a directory for each batch, with the files in
        ``images/`` and what `pipeline.jobs.scoring.score` writes beside them. One that has its
        ``summary.json`` is done.
    model : str
        A reference. Where there is no such version, nothing is taken.
    settle : float
        Seconds, from 0. A file that has changed within them is left for the next run. A writer
        that may pause for longer writes elsewhere on the file system, and moves its files in.
    options : Options, optional
    min_confidence : float, optional
        A fraction in [0, 1], as in `pipeline.jobs.scoring.score`.
    settings : Settings, optional
        Of the environment where not given.

    Returns
    -------
    list of Scoring
        Of the batches: one that an earlier run left, if it did, and one of new files, if there
        are some.

    Raises
    ------
    InputError
        Where the inbox is no directory.
    OutputError
        Where the outbox is in the inbox, or on another file system.
    InvalidParameterError
        If `settle` is outside its domain.
    registry.NotFoundError
        Where there is no such version.
    """
    settings = settings or load_settings()
    if not 0 <= settle < float("inf"):
        raise InvalidParameterError("settle", "seconds from 0", settle)
    inbox, outbox = places(inbox, outbox)

    score = partial(
        scoring.score,
        model=model,
        options=options,
        min_confidence=min_confidence,
        settings=settings,
    )
    done = []
    # Two runs with one outbox: the second waits, and finds what came meanwhile.
    with files.locked(outbox):
        files.remove_leftovers(outbox)
        if (outbox / _UNDER_WAY).exists():
            done += _finish(outbox, score)
        whole = _whole(inbox, settle)
        if whole:
            # What would stop the scoring stops it while the files are still in the inbox.
            scoring.resolve(settings, model)
            _take(inbox, whole, outbox)
            done += _finish(outbox, score)
    return done


def places(inbox: Path, outbox: Path) -> tuple[Path, Path]:
    """Return an inbox and an outbox as they really are, and make the outbox.

    Raises
    ------
    InputError
        Where the inbox is no directory.
    OutputError
        Where the outbox is in the inbox, or on another file system.
    """
    if not inbox.is_dir():
        got = "a file" if inbox.exists() else "nothing there"
        raise InputError(f"{inbox}: expected a directory as the inbox, got {got}.")
    if outbox.exists() and not outbox.is_dir():
        raise OutputError(f"{outbox}: expected a directory as the outbox, got a file.")
    inbox, outbox = inbox.resolve(), outbox.resolve()
    if outbox.is_relative_to(inbox):
        raise OutputError(
            f"{outbox}: expected an outbox outside the inbox {inbox}, or results would be scored."
        )
    outbox.mkdir(parents=True, exist_ok=True)
    if inbox.stat().st_dev != outbox.stat().st_dev:
        raise OutputError(
            f"{outbox}: expected an outbox on the file system of the inbox {inbox}, for files to "
            "move as a whole; choose a directory beside it."
        )
    return inbox, outbox


def _whole(inbox: Path, settle: float) -> list[str]:
    """Return the paths of files that nobody has written to for a while, in order."""
    seen = dict(_image_files(inbox))
    if seen:
        # Seen twice, rather than old by a clock: a file server has another clock.
        time.sleep(settle)
    now = dict(_image_files(inbox)) if seen else {}
    return sorted(name for name, status in seen.items() if now.get(name) == status)


def _take(inbox: Path, names: list[str], outbox: Path) -> None:
    """Move files into a new batch, under the names they have."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
    batch = outbox / f"{now}-{secrets.token_hex(3)}"
    # First the word that something is there, then the thing itself.
    with files.atomic_write(outbox / _UNDER_WAY) as temporary:
        temporary.write_text(batch.name)
    (batch / IMAGES).mkdir(parents=True)
    for name in names:
        place = batch / IMAGES / name
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            (inbox / name).rename(place)
        except FileNotFoundError:
            # Its owner was faster.
            continue
        except OSError as error:
            _log.warning("%s stays in the inbox: %s.", inbox / name, error.strerror)
    # Were a move undone by a power loss after the file had its row, it would get another.
    for directory, _, _ in os.walk(batch):
        files.fsync(Path(directory))
    files.fsync(outbox)


def _finish(outbox: Path, score: Callable[[Path, Path], Scoring]) -> list[Scoring]:
    """Score the batch that is under way, unless it has no file or is done."""
    done = []
    batch = outbox / (outbox / _UNDER_WAY).read_text()
    if not any(_image_files(batch / IMAGES)):
        # Killed before the first file was moved, or nothing could be. Only what is empty goes.
        for directory, _, _ in os.walk(batch, topdown=False):
            with suppress(OSError):
                Path(directory).rmdir()
    elif not (batch / SUMMARY).exists():
        done.append(score(batch / IMAGES, batch))
    (outbox / _UNDER_WAY).unlink()
    return done


def _image_files(directory: Path, prefix: str = "") -> Iterator[tuple[str, _Status]]:
    """Yield the path and the status of the image files in a directory and below it."""
    try:
        entries = list(os.scandir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        name = prefix + entry.name
        if entry.name.startswith("."):
            continue
        # One that is gone by now was its owner's to take.
        with suppress(FileNotFoundError):
            if entry.is_dir(follow_symlinks=False):
                yield from _image_files(Path(entry.path), f"{name}/")
            elif os.path.splitext(entry.name)[1].lower() in SUFFIXES:  # noqa: PTH122 - many files
                found = entry.stat(follow_symlinks=False)
                yield name, (found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
