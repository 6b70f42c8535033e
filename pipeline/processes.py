"""A stage in several processes of this machine, without Prefect."""

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any, TypeVar

from pipeline.stages import in_turn, side_by_side

_T = TypeVar("_T")

# Calls that wait for each process, so that none waits for one.
_QUEUED = 2


def in_processes(stage: Callable[..., _T], calls: Iterable[tuple[Any, ...]], /) -> Iterator[_T]:
    """Make calls in as many processes as there are cores, or here where there is one call."""
    calls = list(calls)
    cores = min(available_cores(), len(calls))
    if cores < 2:
        yield from in_turn(stage, calls)
        return
    # Spawned, not forked: a fork would take the locks of this process's threads with it.
    context = multiprocessing.get_context("spawn")
    executor = ProcessPoolExecutor(cores, mp_context=context)
    try:
        yield from side_by_side(partial(executor.submit, stage), calls, cores * _QUEUED)
    finally:
        executor.shutdown(cancel_futures=True)


def available_cores() -> int:
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
