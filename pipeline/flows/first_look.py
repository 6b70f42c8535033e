"""The first look into the inbox of `digits serve`, before its Prefect server answers."""

import logging
import multiprocessing
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pipeline.errors import PipelineError
from pipeline.jobs.inbox import score_inbox
from registry import RegistryError

_log = logging.getLogger(__name__)

# Seconds that the look has to record that it was stopped.
_STOP_LIMIT = 1


@contextmanager
def first_look(boxes: Mapping[str, Any]) -> Iterator[None]:
    """Score the inbox in a process of its own, which ends with this block.

    After a kill the images would otherwise wait for the server and for a flow run to start, which
    takes a minute on a busy machine. If the look fails, or kills its process, the flow tries again.

    Parameters
    ----------
    boxes : mapping
        Parameters of `pipeline.jobs.inbox.score_inbox`.
    """
    look = multiprocessing.get_context("spawn").Process(target=_look, args=(boxes,))
    look.start()
    # Otherwise it would stay as a zombie until the end of this block, for months.
    threading.Thread(target=look.join, daemon=True).start()
    try:
        yield
    finally:
        look.terminate()
        look.join(_STOP_LIMIT)
        look.kill()
        look.join()


def _look(boxes: Mapping[str, Any]) -> None:
    # So the run is recorded as stopped, not as crashed.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        score_inbox(**boxes)
    except (PipelineError, RegistryError) as error:
        _log.warning("The first look into the inbox failed: %s", error)
