"""Waiting for processes, and their end."""

import contextlib
import subprocess
import time
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import psutil

_T = TypeVar("_T")

LIMIT = 800
"""Seconds that nothing here takes on any machine; it ends a test that would wait for ever."""


class Ended(NamedTuple):
    """The outcome of a command."""

    status: int
    out: str
    err: str


def until(look: Callable[[], _T], process: "subprocess.Popen[str] | None" = None) -> _T:
    """Return the first result of a function that is true; fail if a process ends before."""
    deadline = time.monotonic() + LIMIT
    while not (found := look()):
        assert process is None or process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, f"not within {LIMIT} s"
        time.sleep(0.1)
    return found


def kill_with_children(pid: int) -> None:
    """Kill a process and those that it started, and wait for those."""
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        # Stopped, it starts no more of them.
        parent.suspend()
        children = parent.children(recursive=True)
        for process in (parent, *children):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(children, timeout=LIMIT)


def stop(process: "subprocess.Popen[str]") -> None:
    """Make sure that a process has ended: kill it, and those it started, if it has not."""
    if process.poll() is None:
        kill_with_children(process.pid)
    process.communicate()
