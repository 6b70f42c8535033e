"""A stage in several processes of this machine, without Prefect."""

import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from typing import Any, TypeVar

from pipeline.stages import Spread, in_turn

_T = TypeVar("_T")

# Seconds of work that must be left for new interpreters to be worth their start, of some two
# seconds.
_WORTHWHILE = 4.0


@contextmanager
def forked() -> Iterator[Spread]:
    """Give what makes calls in this process and in a fork of it for each other core.

    The forks are made at once: call it when what the calls need is imported and before there are
    threads, whose locks a fork would take with it. They cost hundredths of a second, where a new
    interpreter costs two seconds, and nothing while they have no work. Where there are threads
    already, or a system on which a fork is not safe, `in_processes` is given instead.
    """
    helpers = available_cores() - 1
    if helpers < 1:
        yield in_turn
        return
    if sys.platform != "linux" or threading.active_count() > 1:
        yield in_processes
        return
    with _executor(helpers, "fork") as executor:
        with warnings.catch_warnings():
            # Python 3.12 counts the threads of libraries too: those of BLAS and of Arrow's
            # allocator, which are prepared for a fork.
            warnings.filterwarnings("ignore", message=".*multi-threaded", category=Warning)
            starting = [executor.submit(os.getpid) for _ in range(helpers)]

        def spread(stage: Callable[..., _T], calls: Iterable[tuple[Any, ...]], /) -> Iterator[_T]:
            return _shared(stage, deque(calls), executor, starting)

        yield spread


def in_processes(
    stage: Callable[..., _T],
    calls: Iterable[tuple[Any, ...]],
    /,
    *,
    worthwhile: float = _WORTHWHILE,
) -> Iterator[_T]:
    """Make calls in this process and, if there is work for them, on the machine's other cores.

    Yield what they return, in no order. The first call tells how long the others may take.
    """
    left = deque(calls)
    if not left:
        return
    started = time.monotonic()
    yield stage(*left.popleft())
    seconds = (time.monotonic() - started) * len(left)
    helpers = min(available_cores() - 1, len(left) - 1)
    if helpers < 1 or seconds < worthwhile:
        yield from in_turn(stage, left)
        return
    # Spawned, not forked: a fork would take the locks of this process's threads with it.
    with _executor(helpers, "spawn") as executor:
        starting = [executor.submit(os.getpid) for _ in range(helpers)]
        yield from _shared(stage, left, executor, starting)


@contextmanager
def _executor(helpers: int, way: str) -> Iterator[ProcessPoolExecutor]:
    context = multiprocessing.get_context(way)
    executor = ProcessPoolExecutor(helpers, mp_context=context, initializer=_begin)
    try:
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)


def _begin() -> None:
    """Make a helper one that ends with the process it helps, and that is all it ends by."""
    # Ctrl-C is for that process, which ends its helpers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def _shared(
    stage: Callable[..., _T],
    left: deque[tuple[Any, ...]],
    executor: ProcessPoolExecutor,
    starting: list[Future[int]],
) -> Iterator[_T]:
    """Hand calls to helpers as they become free, and make the others here meanwhile."""
    under_way: set[Future[_T]] = set()
    while left or under_way:
        for future in [future for future in under_way if future.done()]:
            under_way.remove(future)
            yield future.result()
        ready = sum(future.done() for future in starting)
        # One waits for each helper that is at work, unless the end is near.
        most = ready * (2 if len(left) > 2 * (len(starting) + 1) else 1)
        # The last one is for this process, which has nothing else to do.
        while len(left) > 1 and len(under_way) < most:
            under_way.add(executor.submit(stage, *left.popleft()))
        if left:
            yield stage(*left.popleft())
        elif under_way:
            wait(under_way, return_when=FIRST_COMPLETED)


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
