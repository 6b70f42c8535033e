"""The inbox: finish the pending batch → find complete files → move them → score the batch.

Each image file that is put into the inbox is scored once. Complete files are moved into a batch,
which is a directory of the outbox, and the batch is scored. A rename is atomic, so at any moment a
file is either in the inbox or in one batch. At most one batch is pending. A file in the outbox
names it before any file is moved, so the next run finishes the batch of a killed run before it
takes new files.
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
from pipeline.images.ink import Polarity
from pipeline.images.reading import Normalize, read_head
from pipeline.inputs.kinds import HEAD, Kind, kind_of_content, kind_of_name
from pipeline.jobs import scoring
from pipeline.monitoring.runs import recorded
from pipeline.scoring.outcome import SUMMARY, Scoring
from pipeline.settings import Settings, load_settings
from pipeline.summaries import counted
from registry import ModelVersion, NotFoundError

_log = logging.getLogger(__name__)

SETTLE = 5.0
"""Seconds without a change after which a file is taken to be complete."""

IMAGES = "images"
"""Directory of a batch with its files, under the paths they had in the inbox."""

# File of the outbox with the name of the pending batch.
_PENDING = ".under-way"

# The change stamp of a file: (inode, size, mtime, ctime).
_Stamp = tuple[int, int, int, int]


def _recorded_outcome(batches: list[Scoring]) -> tuple[str, str]:
    count = sum(batch.counts.files for batch in batches)
    return "completed", f"{counted(count, 'file')} scored"


@recorded("score-inbox", _recorded_outcome)
def score_inbox(
    inbox: str | os.PathLike[str],
    outbox: str | os.PathLike[str],
    *,
    model: str = "mnist@champion",
    settle: float = SETTLE,
    normalize: Normalize = "auto",
    ink: Polarity = "auto",
    split: int | None = None,
    reject: float | None = None,
    probabilities: bool = False,
    min_confidence: float | None = None,
    shadow: str | None = None,
    settings: Settings | None = None,
) -> list[Scoring]:
    """Move the image files of an inbox into a batch, and score them.

    Every file is scored exactly once, even if a run is killed and started again. A file with a
    name that was scored before is a new file. What is no image, by its suffix or its first bytes,
    stays in the inbox, and so does everything whose name, or whose directory's name, begins with a
    dot.

    Parameters
    ----------
    inbox : str or PathLike
        A directory. Its subdirectories stay, and files in them keep their relative paths.
    outbox : str or PathLike
        A directory on the same file system. It gets a directory for each batch, with the files in
        ``images/`` beside the results of `pipeline.jobs.scoring.score`. A batch with a
        ``summary.json`` is done.
    model : str
        Reference of a version. If there is none, no file is moved.
    settle : float
        Seconds, at least 0. A file that changed during them is left for the next run. A writer
        that may pause for longer writes elsewhere on the file system, and renames when it is done.
    normalize, ink, split, reject, probabilities, min_confidence
        As in `pipeline.jobs.scoring.score`.
    shadow : str, optional
        As in `pipeline.jobs.scoring.score`, but if there is no such version, nothing is compared.
    settings : Settings, optional
        Those of the environment by default.

    Returns
    -------
    list of Scoring
        One for the batch that an earlier run left, if any, and one for the new files, if any.

    Raises
    ------
    InputError
        If the inbox is not a directory.
    OutputError
        If the outbox is in the inbox, or on another file system.
    InvalidParameterError
        If `settle` is outside its domain.
    registry.NotFoundError
        If there is no such version.
    """
    settings = settings or load_settings()
    if not 0 <= settle < float("inf"):
        raise InvalidParameterError("settle", "seconds, at least 0", settle)
    inbox, outbox = prepare_boxes(Path(inbox), Path(outbox))
    score = partial(
        scoring.score,
        model=model,
        normalize=normalize,
        ink=ink,
        split=split,
        reject=reject,
        probabilities=probabilities,
        min_confidence=min_confidence,
        shadow=_existing(settings, shadow),
        settings=settings,
    )
    done = []
    # Of two runs with one outbox, the second waits, and takes the files that came meanwhile.
    with files.naming_full_disk(outbox), files.locked(outbox):
        files.remove_leftovers(outbox)
        if (outbox / _PENDING).exists():
            done += _finish(outbox, score)
        complete = _complete_files(inbox, settle)
        if complete:
            # If there is no such version, the files stay in the inbox.
            scoring.resolve(settings, model)
            _move_to_batch(inbox, complete, outbox)
            done += _finish(outbox, score)
    return done


def _existing(settings: Settings, shadow: str | None) -> ModelVersion | None:
    """Return the version that is asked too; None if there is none: not always has a challenger."""
    try:
        return None if shadow is None else scoring.resolve_shadow(settings, shadow)
    except NotFoundError:
        return None


def prepare_boxes(inbox: Path, outbox: Path) -> tuple[Path, Path]:
    """Check an inbox and an outbox, create the outbox, and return both without symbolic links.

    Raises
    ------
    InputError
        If the inbox is not a directory.
    OutputError
        If the outbox is in the inbox, or on another file system.
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
            f"{outbox}: expected an outbox on the file system of the inbox {inbox}, so that files "
            "move atomically. Choose a directory beside the inbox."
        )
    return inbox, outbox


def _complete_files(inbox: Path, settle: float) -> dict[str, _Stamp]:
    """Return the sorted paths of files that do not change for `settle` seconds, with stamps."""
    before = dict(_image_files(inbox, warn=True))
    if before:
        # Two listings are compared, not ages: the clock of a file server may differ from ours.
        time.sleep(settle)
    after = dict(_image_files(inbox)) if before else {}
    return {name: stamp for name, stamp in sorted(before.items()) if after.get(name) == stamp}


def _move_to_batch(inbox: Path, complete: dict[str, _Stamp], outbox: Path) -> None:
    """Move files into a new batch, under the same relative paths."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
    batch = outbox / f"{now}-{secrets.token_hex(3)}"
    # The batch is named before it exists, so that a killed run leaves no unknown batch.
    with files.atomic_write(outbox / _PENDING) as temporary:
        temporary.write_text(batch.name)
    (batch / IMAGES).mkdir(parents=True)
    for name, stamp in complete.items():
        target = batch / IMAGES / name
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            (inbox / name).rename(target)
            # A move changes the ctime.
            if _stamp(target.lstat())[:3] != stamp[:3]:
                _put_back(target, inbox / name)
        except FileNotFoundError:
            # Its owner has removed it.
            continue
        except OSError as error:
            _log.warning("%s stays in the inbox: %s.", inbox / name, error.strerror)
    # If a power loss undid a move after the file was scored, the file would be scored twice.
    for directory, _, _ in os.walk(batch):
        files.fsync(Path(directory))
    files.fsync(outbox)


def _put_back(moved: Path, original: Path) -> None:
    """Move a file that changed before it was moved back to the inbox, and replace none there."""
    try:
        original.hardlink_to(moved)
    except FileExistsError:
        # Another file has the name now, so nobody is writing this one under it.
        return
    except OSError:  # a file system without hard links
        moved.rename(original)
    else:
        moved.unlink()


def _finish(outbox: Path, score: Callable[[Path, Path], Scoring]) -> list[Scoring]:
    """Score the pending batch, unless it has no file or is done."""
    done = []
    batch = outbox / (outbox / _PENDING).read_text()
    if not any(_image_files(batch / IMAGES)):
        # The run was killed before it moved a file, or could move none. Only empty directories go.
        for directory, _, _ in os.walk(batch, topdown=False):
            with suppress(OSError):
                Path(directory).rmdir()
    elif not (batch / SUMMARY).exists():
        done.append(score(batch / IMAGES, batch))
    (outbox / _PENDING).unlink()
    return done


def _image_files(
    directory: Path, prefix: str = "", *, warn: bool = False
) -> Iterator[tuple[str, _Stamp]]:
    """Yield the relative path and the change stamp of each image file below a directory."""
    try:
        entries = list(os.scandir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return
    except PermissionError:
        if not prefix:
            raise
        # Such as lost+found: the other files do not wait for it.
        if warn:
            _log.warning("%s: cannot be listed, and stays. Check its permissions.", directory)
        return
    for entry in entries:
        name = prefix + entry.name
        if entry.name.startswith("."):
            continue
        # Its owner may have removed it.
        with suppress(FileNotFoundError):
            if entry.is_dir(follow_symlinks=False):
                yield from _image_files(Path(entry.path), f"{name}/", warn=warn)
            elif _is_image(entry):
                yield name, _stamp(entry.stat(follow_symlinks=False))


def _is_image(entry: os.DirEntry[str]) -> bool:
    """Return whether a file is an image, by its name or, if that does not tell, first bytes."""
    kind = kind_of_name(entry.name)
    return (kind or kind_of_content(entry.name, read_head(entry.path, HEAD))) is Kind.IMAGE


def _stamp(status: os.stat_result) -> _Stamp:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
