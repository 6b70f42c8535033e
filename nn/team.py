"""Several cores for one training.

The members of a team are processes that run the same training, step by step, over the same
arrays in shared memory. Each works on pieces of its own, with BLAS held to one thread, and after
each phase they meet. They are not threads: between two products of matrices Python's threads
wait for each other's lock, which here cost more than a second core brought in. And they are
not BLAS's threads, which are as fast on an idle machine, but cut every product in parts and spin
until the last one is done: next to one busy process, two of them were slower than one.
"""

import json
import mmap
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike
from threadpoolctl import ThreadpoolController, threadpool_limits

from nn.errors import HelperError

# How often a member that waits asks again at once. Others are rarely later than that, unless
# another program has taken their core; then it is better to sleep than to keep one more busy.
_SPINS = 300
_NAP = 1e-4

# Numbers between two members' counters: each has a cache line of its own.
_APART = 8


def cores() -> int:
    """Return how many cores this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Team:
    """The processes that share a training: this one, and helpers.

    Parameters
    ----------
    size : int
        How many processes.
    rank : int
        Which of them this one is; 0 is the one that has the others as its helpers.
    memory : int, optional
        Descriptor of the file that is the shared memory; the helpers get it from rank 0.
    leader : int, optional
        Process id of rank 0, for the helpers: they end where it does.
    """

    def __init__(
        self, size: int, rank: int = 0, memory: int | None = None, leader: int | None = None
    ) -> None:
        self.size = size
        self.rank = rank
        self._leader = leader
        self._memory = memory
        if size > 1 and memory is None:
            self._memory = _anonymous_file()
        self._end = 0
        self._helpers: list[subprocess.Popen[str]] = []
        self._met = 0
        self._lock = threading.Lock()
        self._counters = self.zeros(size * _APART, np.int64)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for helper in self._helpers:
            helper.kill()
        for helper in self._helpers:
            helper.communicate()
        if self._memory is not None:
            os.close(self._memory)

    def zeros(self, shape: int | tuple[int, ...], dtype: DTypeLike = np.float32) -> np.ndarray:
        """Return an array that all members share.

        Members that ask for the same arrays in the same order get the same ones.
        """
        if self._memory is None:
            return np.zeros(shape, dtype)
        dtype = np.dtype(dtype)
        count = int(np.prod(shape))
        length = max(1, count * dtype.itemsize)
        start = self._end
        self._end += -(-length // mmap.ALLOCATIONGRANULARITY) * mmap.ALLOCATIONGRANULARITY
        if self.rank == 0:
            os.ftruncate(self._memory, self._end)
        mapped = mmap.mmap(self._memory, length, offset=start)
        return np.frombuffer(mapped, dtype, count).reshape(shape)

    def share(self, array: np.ndarray) -> np.ndarray:
        """Return a copy that all members share; the helpers ask for it with `zeros`."""
        shared = self.zeros(array.shape, array.dtype)
        shared[...] = array
        return shared

    def recruit(self, task: Mapping[str, Any]) -> None:
        """Start the helpers, and give each this task, in JSON; `nn.helper` does it."""
        for rank in range(1, self.size):
            order = {
                "task": task,
                "size": self.size,
                "rank": rank,
                "memory": self._memory,
                "leader": os.getpid(),
            }
            helper = subprocess.Popen(
                [sys.executable, "-c", _HELPER.format(path=sys.path)],
                stdin=subprocess.PIPE,
                pass_fds=[self._memory] if self._memory is not None else [],
                text=True,
            )
            self._helpers.append(helper)
            self._send(helper, json.dumps(order))

    def tell(self, message: str) -> None:
        """Send every helper a line."""
        for helper in self._helpers:
            self._send(helper, message)

    def run(self, function: Callable[[int], None], pieces: int) -> None:
        """Call ``function(piece)`` for this member's pieces, and wait for the others."""
        for piece in range(self.rank, pieces, self.size):
            function(piece)
        if self.size > 1:
            self._meet()

    def _meet(self) -> None:
        self._met += 1
        self._fence()
        self._counters[self.rank * _APART] = self._met
        spins = 0
        for rank in range(self.size):
            while self._counters[rank * _APART] < self._met:
                spins += 1
                if spins < _SPINS:
                    os.sched_yield()
                else:
                    self._require_others()
                    time.sleep(_NAP)
        self._fence()

    def _fence(self) -> None:
        """Keep what is written to memory before from being seen after what comes next.

        x86 keeps that order anyway. Elsewhere taking a lock waits for the lock's last release,
        and that for all that was written before it; so it takes two turns.
        """
        for _ in range(2):
            with self._lock:
                pass

    def _require_others(self) -> None:
        if self.rank and os.getppid() != self._leader:
            raise SystemExit(1)
        for helper in self._helpers:
            if helper.poll() is not None:
                raise HelperError(helper.returncode)

    def _send(self, helper: subprocess.Popen[str], line: str) -> None:
        try:
            print(line, file=helper.stdin, flush=True)
        except BrokenPipeError:
            raise HelperError(helper.wait()) from None


def _anonymous_file() -> int:
    """Return the descriptor of a file that has no name, and ends with its last user."""
    if hasattr(os, "memfd_create"):
        # Of memory; /dev/shm, which is memory too, is often limited to 64 MB in a container.
        return os.memfd_create("digits-team")
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


_HELPER = "import sys; sys.path[:] = {path}; from nn.helper import main; main()"

_lock = threading.Lock()
_users = 0
_limits: threadpool_limits | None = None


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Hold BLAS to one thread, for as long as anybody in this process asks for it.

    The setting is the process's own: the first to ask makes it, the last to leave takes it back.
    """
    global _users, _limits
    with _lock:
        if _users == 0:
            _limits = ThreadpoolController().limit(limits=1, user_api="blas")
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0 and _limits is not None:
                _limits.restore_original_limits()
                _limits = None
