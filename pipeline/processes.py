"""Stages on all cores of this machine, in several processes and without Prefect."""

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
from typing import Any, ParamSpec, TypeVar

from nn import available_cores
from pipeline.stages import StageRunner, serial_map

_P = ParamSpec("_P")
_T = TypeVar("_T")

# Seconds of remaining work that justify starting new interpreters, which takes about two seconds.
_WORTHWHILE = 4.0


class _Here:
    """A stage runner that calls stages in this process, and maps them as it is told."""

    def __init__(self, map_calls: Callable[..., Iterator[Any]]) -> None:
        self._map_calls = map_calls

    def call(self, stage: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return stage(*args, **kwargs)

    def map(self, stage: Callable[..., _T], calls: Iterable[tuple[Any, ...]], /) -> Iterator[_T]:
        return self._map_calls(stage, calls)


@contextmanager
def worker_processes() -> Iterator[StageRunner]:
    """Yield a stage runner that maps stages over this process and a fork of it for each other core.

    The forks are made at once: use it when everything that the calls need is imported, and before
    there are threads, whose locks a fork would copy. A fork takes hundredths of a second, a new
    interpreter two seconds. If there are threads already, or if fork is not safe on this system,
    the runner maps with `spawned_map` instead.
    """
    workers = available_cores() - 1
    if workers < 1:
        yield _Here(serial_map)
        return
    if sys.platform != "linux" or threading.active_count() > 1:
        yield _Here(spawned_map)
        return
    with _executor(workers, "fork") as executor:
        with warnings.catch_warnings():
            # Python 3.12 counts the threads of libraries too: those of BLAS and of Arrow's
            # allocator, which are prepared for a fork.
            warnings.filterwarnings("ignore", message=".*multi-threaded", category=Warning)
            starting = [executor.submit(os.getpid) for _ in range(workers)]

        def forked_map(
            stage: Callable[..., _T], calls: Iterable[tuple[Any, ...]], /
        ) -> Iterator[_T]:
            return _shared_map(stage, deque(calls), executor, starting)

        yield _Here(forked_map)


def spawned_map(
    stage: Callable[..., _T],
    calls: Iterable[tuple[Any, ...]],
    /,
    *,
    worthwhile: float = _WORTHWHILE,
) -> Iterator[_T]:
    """Make calls in this process and, if there is enough work, on the machine's other cores.

    The results come in no order. The first call shows how long the others may take.
    """
    pending = deque(calls)
    if not pending:
        return
    started = time.monotonic()
    yield stage(*pending.popleft())
    seconds = (time.monotonic() - started) * len(pending)
    workers = min(available_cores() - 1, len(pending) - 1)
    if workers < 1 or seconds < worthwhile:
        yield from serial_map(stage, pending)
        return
    # Spawned, not forked: a fork would copy the locks of this process's threads.
    with _executor(workers, "spawn") as executor:
        starting = [executor.submit(os.getpid) for _ in range(workers)]
        yield from _shared_map(stage, pending, executor, starting)


@contextmanager
def _executor(workers: int, start_method: str) -> Iterator[ProcessPoolExecutor]:
    context = multiprocessing.get_context(start_method)
    executor = ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker)
    try:
        yield executor
    finally:
        executor.shutdown(cancel_futures=True)


def _start_worker() -> None:
    """Make a worker end with its parent, and only then."""
    # Ctrl-C is for the parent, which ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def _shared_map(
    stage: Callable[..., _T],
    pending: deque[tuple[Any, ...]],
    executor: ProcessPoolExecutor,
    starting: list[Future[int]],
) -> Iterator[_T]:
    """Hand calls to workers as they become free, and make the others in this process."""
    submitted: set[Future[_T]] = set()
    while pending or submitted:
        for future in [future for future in submitted if future.done()]:
            submitted.remove(future)
            yield future.result()
        ready = sum(future.done() for future in starting)
        # One more call waits for each busy worker, unless few calls are left.
        limit = ready * (2 if len(pending) > 2 * (len(starting) + 1) else 1)
        # The last call is for this process, which has nothing else to do.
        while len(pending) > 1 and len(submitted) < limit:
            submitted.add(executor.submit(stage, *pending.popleft()))
        if pending:
            yield stage(*pending.popleft())
        elif submitted:
            wait(submitted, return_when=FIRST_COMPLETED)
