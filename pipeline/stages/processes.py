"""Stages on all cores of this machine, in worker processes and without Prefect.

This process makes calls too. For each worker it has a thread that sends calls to the worker, one
at a time, and waits for the results.
"""

import logging
import multiprocessing
import os
import pickle
import signal
import socket
import sys
import threading
import time
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

from nn import available_cores
from pipeline.errors import WorkerError
from pipeline.stages import StageRunner, serial_map

_log = logging.getLogger(__name__)

_P = ParamSpec("_P")
_T = TypeVar("_T")

_Call = tuple[Any, ...]

_Start = Callable[[], Connection]
"""Starts a worker process and returns the connection to it."""

# Seconds of remaining work that justify starting new interpreters, which takes about two seconds.
_WORTHWHILE = 4.0


class _LocalRunner:
    """A stage runner that calls stages in this process, and maps them with a given function."""

    def __init__(self, map_calls: Callable[..., Iterator[Any]]) -> None:
        self._map_calls = map_calls

    def call(self, stage: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        return stage(*args, **kwargs)

    def map(self, stage: Callable[..., _T], calls: Iterable[_Call], /) -> Iterator[_T]:
        return self._map_calls(stage, calls)


@contextmanager
def worker_processes() -> Iterator[StageRunner]:
    """Yield a stage runner that maps stages over this process and forks of it on the other cores.

    A fork takes hundredths of a second, a new interpreter two seconds. But a fork copies the locks
    of all threads, so it is only safe before there are threads, and the number of useful workers
    is only known later. Therefore one process is forked now, and it forks the workers later. Use
    this before there are threads, and after importing everything that the calls need.

    If there are threads already, or if fork is not safe on this system, the runner maps with
    `spawned_map` instead.
    """
    if available_cores() == 1:
        yield _LocalRunner(serial_map)
    elif sys.platform != "linux" or threading.active_count() > 1:
        yield _LocalRunner(spawned_map)
    else:
        with _fork_server() as start:

            def forked_map(stage: Callable[..., _T], calls: Iterable[_Call], /) -> Iterator[_T]:
                return _shared_map(stage, deque(calls), start)

            yield _LocalRunner(forked_map)


def spawned_map(
    stage: Callable[..., _T], calls: Iterable[_Call], /, *, worthwhile: float = _WORTHWHILE
) -> Iterator[_T]:
    """Make calls in this process and, if there is enough work, on the machine's other cores.

    The results come in any order. The time of the first call shows whether workers are worth
    starting. There are no more of them than other cores, and than calls left for them.

    Raises
    ------
    WorkerError
        If two workers were killed in the same call.
    """
    pending = deque(calls)
    if not pending:
        return
    started = time.monotonic()
    yield stage(*pending.popleft())
    seconds = (time.monotonic() - started) * len(pending)
    if seconds < worthwhile:
        yield from serial_map(stage, pending)
        return
    with _spawning() as start:
        yield from _shared_map(stage, pending, start)


def _shared_map(stage: Callable[..., _T], pending: deque[_Call], start: _Start) -> Iterator[_T]:
    """Make calls in this process and in workers, and yield the results in any order."""
    remaining = len(pending)
    results: SimpleQueue[Future[_T]] = SimpleQueue()
    feeders = [
        threading.Thread(target=_feed, args=(start, stage, pending, results), daemon=True)
        for _ in range(min(available_cores() - 1, remaining - 1))
    ]
    for feeder in feeders:
        feeder.start()
    try:
        while (call := _next(pending)) is not None:
            yield stage(*call)
            remaining -= 1
            while not results.empty():
                yield results.get().result()
                remaining -= 1
        for _ in range(remaining):
            yield results.get().result()
    finally:
        # After an error or Ctrl-C, the workers finish the calls that they are making, and end.
        pending.clear()
        for feeder in feeders:
            feeder.join()


def _next(pending: deque[_Call]) -> _Call | None:
    """Take the next call; None if there is none."""
    try:
        return pending.popleft()
    except IndexError:
        return None


def _feed(
    start: _Start,
    stage: Callable[..., _T],
    pending: deque[_Call],
    results: "SimpleQueue[Future[_T]]",
) -> None:
    """Start a worker and send calls to it, until none is left or one fails."""
    try:
        worker = _Worker(start)
    except Exception as error:
        _log.warning("A worker process did not start; the others do its work (%r).", error)
        return
    failed = False
    while not failed and (call := _next(pending)) is not None:
        result: Future[_T] = Future()
        try:
            result.set_result(worker.call(stage, call))
        except Exception as error:
            result.set_exception(error)
            failed = True
        results.put(result)
    worker.end()


class _Worker:
    """A worker process, as this process sees it. If it is killed, a new one replaces it."""

    def __init__(self, start: _Start) -> None:
        self._start = start
        self._connection = self._ready()

    def call(self, stage: Callable[..., _T], call: _Call) -> _T:
        """Make a call in the worker; if the worker is killed, repeat it in a new one."""
        try:
            result, error, text = self._exchange(stage, call)
        except (OSError, EOFError):
            self.end()
            _log.warning("A worker process was killed; its call is repeated in a new one.")
            try:
                self._connection = self._ready()
                result, error, text = self._exchange(stage, call)
            except (OSError, EOFError):
                raise WorkerError(
                    f"Two worker processes were killed in the same call of {stage.__name__}, "
                    "perhaps because memory is short. Free some memory and run this again; "
                    "finished calls are kept."
                ) from None
        if error is not None:
            raise error from _WorkerTraceback(text)
        return result

    def end(self) -> None:
        """Let the worker end."""
        self._connection.close()

    def _ready(self) -> Connection:
        """Start a process and wait until it is ready."""
        connection = self._start()
        connection.recv()
        return connection

    def _exchange(self, stage: Callable[..., _T], call: _Call) -> tuple[_T, Exception | None, str]:
        """Send a call and receive its outcome: the result, the error, and its traceback."""
        self._connection.send((stage, call))
        outcome: tuple[_T, Exception | None, str] = self._connection.recv()
        return outcome


class _WorkerTraceback(Exception):  # noqa: N818 - only the cause of an error
    """The traceback of an error in a worker, as text."""


@contextmanager
def _fork_server() -> Iterator[_Start]:
    """Fork a process that forks workers on request, and yield the function that requests one."""
    context = multiprocessing.get_context("fork")
    ours, theirs = socket.socketpair()
    server = context.Process(target=_serve_forks, args=(theirs, ours))
    with warnings.catch_warnings():
        # Python 3.12 counts the threads of libraries too: those of BLAS and of Arrow's allocator,
        # which are prepared for a fork.
        warnings.filterwarnings("ignore", message=".*multi-threaded", category=Warning)
        server.start()
    theirs.close()

    def start() -> Connection:
        connection, workers_end = multiprocessing.Pipe()
        with workers_end:
            socket.send_fds(ours, [b"w"], [workers_end.fileno()])
        return connection

    try:
        yield start
    finally:
        ours.close()
        server.join()


def _serve_forks(requests: socket.socket, parents_end: socket.socket) -> None:
    """Fork a worker for each connection that is sent, until the parent has ended.

    When this returns, multiprocessing terminates the workers that are left, since they are
    daemons, and waits for them.
    """
    parents_end.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    context = multiprocessing.get_context("fork")
    while True:
        _, descriptors, _, _ = socket.recv_fds(requests, 1, 1)
        if not descriptors:
            return
        # If the fork fails, the closed connection tells the parent.
        with Connection(descriptors[0]) as connection, suppress(OSError):
            context.Process(target=_work, args=(connection, requests), daemon=True).start()


@contextmanager
def _spawning() -> Iterator[_Start]:
    """Yield a function that starts a worker in a new interpreter.

    A fork of this process would copy the locks of its threads.
    """
    context = multiprocessing.get_context("spawn")
    processes = []

    def start() -> Connection:
        connection, workers_end = multiprocessing.Pipe()
        with workers_end:
            process = context.Process(target=_work, args=(workers_end,), daemon=True)
            process.start()
        processes.append(process)
        return connection

    try:
        yield start
    finally:
        for process in processes:
            process.join()


def _work(connection: Connection, *inherited: socket.socket) -> None:
    """Make the calls that are sent, until the connection is closed or the parent has ended."""
    for each in inherited:
        each.close()
    # Ctrl-C is for the parent, which lets its workers end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    # The parent may end, or give up, at any moment.
    with suppress(EOFError, ConnectionError):
        connection.send(os.getpid())
        while True:
            stage, call = connection.recv()
            connection.send_bytes(_outcome(stage, call))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
    os._exit(1)


def _outcome(stage: Callable[..., Any], call: _Call) -> bytes:
    """Make a call, and return the result, the error and its traceback, pickled."""
    try:
        return pickle.dumps((stage(*call), None, ""))
    except Exception as error:
        text = traceback.format_exc()
        try:
            outcome = pickle.dumps((None, error, text))
            pickle.loads(outcome)  # noqa: S301 - our own bytes
        except Exception:
            # Such as an error whose constructor takes other arguments than the message.
            outcome = pickle.dumps((None, WorkerError(str(error)), text))
        return outcome
