"""Retrainings that are not finished: one at a time, resumed if killed, removed if abandoned."""

import contextlib
import json
import logging
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from pipeline import files
from pipeline.errors import BusyError
from pipeline.settings import Settings, Thresholds

_log = logging.getLogger(__name__)

# Seconds after which the remains of a killed run are removed, unless it is asked for again.
_ABANDONED_AFTER = 7 * 24 * 3600


@contextlib.contextmanager
def only_retraining(settings: Settings) -> Iterator[None]:
    """Keep other retrainings under the same home out of this block.

    Raises
    ------
    BusyError
        If another one runs, and the settings say not to wait for it.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(files.locked(settings.unfinished, wait=False))
        except BlockingIOError:
            if settings.when_busy == "leave":
                raise BusyError(
                    f"Another retraining runs under {settings.home}. Run this one again when it "
                    "has ended, or set DIGITS_WHEN_BUSY=wait."
                ) from None
            _log.warning("Waiting: another retraining runs under %s.", settings.home)
            stack.enter_context(files.locked(settings.unfinished))
        yield


def begin_run(work: Path, thresholds: Thresholds, proposed: str | None) -> str:
    """Return the id of the run that was killed in this directory, or of a new one.

    Parameters
    ----------
    work : Path
        Directory of the training.
    thresholds : Thresholds
        A run is only resumed under the thresholds that it began with.
    proposed : str or None
        Id of a new run; a random one by default.
    """
    path = work / "run.json"
    gate = thresholds.model_dump()
    with contextlib.suppress(FileNotFoundError):
        earlier = json.loads(path.read_text())
        if earlier["gate"] == gate:
            _log.info("Resuming run %s.", earlier["run_id"])
            return str(earlier["run_id"])
    run_id = proposed or str(uuid.uuid4())
    with files.atomic_write(path) as temporary:
        temporary.write_text(json.dumps({"run_id": run_id, "gate": gate}))
    return run_id


def remove_abandoned(unfinished: Path) -> None:
    """Remove what killed runs left long ago."""
    files.remove_leftovers(unfinished)
    for work in unfinished.iterdir():
        if work.is_dir() and time.time() - work.stat().st_mtime > _ABANDONED_AFTER:
            files.remove_directory(work)
