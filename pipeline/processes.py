"""A stage in several processes of this machine, without Prefect."""

import multiprocessing
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from typing import Any, TypeVar

_T = TypeVar("_T")

# Seconds of work that must be left for helpers to be worth their start, of some two seconds.
_WORTHWHILE = 4.0


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
        while left:
            yield stage(*left.popleft())
        return
    # Spawned, not forked: a fork would take the locks of this process's threads with it.
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(helpers, mp_context=context)
    try:
        yield from _shared(stage, left, executor, helpers)
    finally:
        executor.shutdown(cancel_futures=True)


def _shared(
    stage: Callable[..., _T],
    left: deque[tuple[Any, ...]],
    executor: ProcessPoolExecutor,
    helpers: int,
) -> Iterator[_T]:
    """Hand calls to helpers as they become free, and make the others here meanwhile."""
    starting = [executor.submit(os.getpid) for _ in range(helpers)]
    under_way: set[Future[_T]] = set()
    while left or under_way:
        for future in [future for future in under_way if future.done()]:
            under_way.remove(future)
            yield future.result()
        ready = sum(future.done() for future in starting)
        # One waits for each helper that is at work, unless the end is near.
        most = ready * (2 if len(left) > 2 * (helpers + 1) else 1)
        while left and len(under_way) < most:
            under_way.add(executor.submit(stage, *left.popleft()))
        if left:
            yield stage(*left.popleft())
        elif under_way:
            wait(under_way, return_when=FIRST_COMPLETED)


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
