"""A process that scores an inbox, and is killed on the way."""

import itertools
import os
import signal
import sys
from multiprocessing.process import BaseProcess
from pathlib import Path

from forkserver import CONTEXT

from pipeline import score_inbox
from pipeline.settings import Settings

# What changes something on disk, or looks whether something is there; Python says so beforehand.
_EVENTS = {"open", "os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.scandir"}


def start(
    settings: Settings, inbox: Path, outbox: Path, *, settle: float = 0.0, dies_before: int = 0
) -> BaseProcess:
    """Start scoring, in a process that kills itself before an action on files of that number."""
    process = CONTEXT.Process(target=_run, args=(settings, inbox, outbox, settle, dies_before))
    process.start()
    return process


def _run(settings: Settings, inbox: Path, outbox: Path, settle: float, dies_before: int) -> None:
    actions = itertools.count(1)

    def count(event: str, _: object) -> None:
        if event in _EVENTS and next(actions) == dies_before:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(count)
    score_inbox(inbox, outbox, settings=settings, settle=settle)
