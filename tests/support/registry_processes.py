"""Processes that use a registry concurrently, or are killed while they use it."""

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
    """The addresses of a registry."""

    url: str
    blobs: str

    def open(self) -> Registry:
        """Open or create the registry."""
        return Registry(self.url, self.blobs)


def at_once(work: Callable[..., Any], arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
    """Call a function at the same time in one process for each tuple of arguments."""
    # Longer than any process ever waits for another.
    barrier = CONTEXT.Barrier(len(arguments), timeout=200)
    with ProcessPoolExecutor(len(arguments), CONTEXT, _join, (barrier,)) as pool:
        futures = [pool.submit(_run, work, some) for some in arguments]
        failures = [future.exception() for future in futures]
    for failure in failures:
        # A broken barrier is only a consequence of another failure.
        if failure is not None and not isinstance(failure, BrokenBarrierError):
            raise failure
    return [future.result() for future in futures]


def meet() -> None:
    """Wait until all processes of `at_once` have called this."""
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


# System calls that change nothing outside the process. Being killed at one of them has the same
# effect as at the next call that is not listed.
_SILENT = """
access brk clock_gettime clock_nanosleep epoll_wait fstat fstatfs futex getcwd getdents64 getegid
geteuid getgid getpeername getpid getppid getrandom getsockname getsockopt gettid getuid ioctl lseek
lstat madvise mmap mprotect munmap newfstatat poll ppoll prctl pread64 read readlink recvfrom
recvmsg restart_syscall rt_sigaction rt_sigprocmask select stat statfs statx sysinfo uname
"""


class Killed(NamedTuple):
    """The end of a process that was to be killed."""

    survived: bool
    """Whether it ended by itself, because it made fewer calls."""
    acknowledged: Any
    """The result of its action; None if it was killed before."""


def calls_of(act: Callable[[Registry], Any], place: Place, *, opened: bool) -> list[str]:
    """Return the names of an action's system calls that change something."""
    with tempfile.NamedTemporaryFile("r") as log:
        killed = _traced(["-o", log.name], act, place, opened=opened)
        assert killed.survived
        made = re.findall(r"^(?:\d+ +)?(\w+)\(", log.read(), re.MULTILINE)
    return sorted(set(made) - set(_SILENT.split()))


def killed_at(
    call: str, time: int, act: Callable[[Registry], Any], place: Place, *, opened: bool
) -> Killed:
    """Kill a process at the nth time that it enters a system call.

    Parameters
    ----------
    act : callable
        The action. Afterwards the process acknowledges it and closes the registry.
    opened : bool
        Whether the registry is opened before calls are counted.
    """
    # strace counts each kind of call separately.
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
                process.join()
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
