"""Processes that use one registry at once, or are killed while they do."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from threading import BrokenBarrierError
from typing import Any, NamedTuple

import pytest
from forkserver import CONTEXT

from registry import Registry

STRACE = shutil.which("strace")
NO_STRACE = "strace is not installed (on Debian: apt-get install strace)"

_barrier: Barrier | None = None


class Place(NamedTuple):
    """Where a registry is."""

    url: str
    blobs: str

    def open(self) -> Registry:
        """Open it, or create it."""
        return Registry(self.url, self.blobs)


def at_once(work: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Call a function in a process for each of the arguments, all at the same moment."""
    # Longer than any of them keeps the others waiting.
    barrier = CONTEXT.Barrier(len(arguments), timeout=200)
    with ProcessPoolExecutor(len(arguments), CONTEXT, _join, (barrier,)) as pool:
        futures = [pool.submit(_run, work, some) for some in arguments]
        failures = [future.exception() for future in futures]
    for failure in failures:
        # The others only miss the one that failed.
        if failure is not None and not isinstance(failure, BrokenBarrierError):
            raise failure
    return [future.result() for future in futures]


def meet() -> None:
    """Wait for every other process of `at_once`."""
    assert _barrier is not None
    _barrier.wait()


def _join(barrier: Barrier) -> None:
    global _barrier
    _barrier = barrier


def _run(work: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    meet()
    try:
        return work(*arguments)
    except BaseException:
        assert _barrier is not None
        _barrier.abort()
        raise


# Calls that change nothing outside the process: killed at one of them, it leaves behind what it
# leaves at the next call that does. Any call that is not among these is one to be killed at.
_SILENT = """
access brk clock_gettime clock_nanosleep epoll_wait fstat fstatfs futex getcwd getdents64 getegid
geteuid getgid getpeername getpid getppid getrandom getsockname getsockopt gettid getuid ioctl lseek
lstat madvise mmap mprotect munmap newfstatat poll ppoll prctl pread64 read readlink recvfrom
recvmsg restart_syscall rt_sigaction rt_sigprocmask select stat statfs statx sysinfo uname
"""


class Killed(NamedTuple):
    """How it went with a process that was to be killed."""

    survived: bool
    """It did not make that many calls."""
    acknowledged: Any
    """What its action returned; None where it was killed before it could say."""


def calls_of(act: Callable[[Registry], Any], place: Place, *, opened: bool) -> list[str]:
    """Return the names of the system calls of an action that change anything."""
    with tempfile.NamedTemporaryFile("r") as log:
        killed = _traced(["-o", log.name], act, place, opened=opened)
        assert killed.survived
        made = re.findall(r"^(?:\d+ +)?(\w+)\(", log.read(), re.MULTILINE)
    return sorted(set(made) - set(_SILENT.split()))


def killed_at(
    call: str, time: int, act: Callable[[Registry], Any], place: Place, *, opened: bool
) -> Killed:
    """Kill a process when it enters a system call for so manyth a time.

    Parameters
    ----------
    act : callable
        What it does with the registry; it tells when that has returned, and closes the registry.
    opened : bool
        Whether it has opened the registry before its calls are counted.
    """
    # strace counts each call for itself, so that there is no such thing as the nth of all.
    kill = f"inject={call}:signal=KILL:when={time}"
    options = ["-o", "/dev/null", "-e", f"trace={call}", "-e", kill]
    return _traced(options, act, place, opened=opened)


def _traced(
    options: list[str], act: Callable[[Registry], Any], place: Place, *, opened: bool
) -> Killed:
    assert STRACE is not None
    pipe, its_end = CONTEXT.Pipe()
    process = CONTEXT.Process(target=_act, args=(act, place, opened, its_end))
    process.start()
    its_end.close()
    with pipe:
        pipe.recv()
        with subprocess.Popen(
            [STRACE, "-f", *options, "-p", str(process.pid)], stderr=subprocess.PIPE, text=True
        ) as strace:
            assert strace.stderr is not None
            said = strace.stderr.readline()
            if "attached" not in said:
                process.kill()
                pytest.skip(f"strace may not trace here: {said.strip()}")
            pipe.send("go")
            try:
                acknowledged = pipe.recv()
            except (EOFError, ConnectionResetError):
                acknowledged = None
            process.join()
    assert process.exitcode in (0, -9)
    return Killed(process.exitcode == 0, acknowledged)


def _act(act: Callable[[Registry], Any], place: Place, opened: bool, pipe: Connection) -> None:
    registry = place.open() if opened else None
    pipe.send("ready")
    pipe.recv()
    with registry or place.open() as registry:
        pipe.send(act(registry))
