"""The group of processes that share a training, as each member sees it."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike

from nn.errors import WorkerError
from nn.parallel.shared_arrays import SharedArrays

# How often a waiting process checks again without sleeping. The others are rarely later than
# that, unless another program has taken their core; then sleeping leaves a core to it.
_SPINS = 300
_NAP = 1e-4

# Distance between the counters of two processes, in numbers: each has its own cache line.
_STRIDE = 8


class Workers:
    """The processes that share a training: the leader, and the workers that it starts.

    Parameters
    ----------
    size : int
        Number of processes, the leader included.
    rank : int
        Number of this process; 0 is the leader.
    memory : int, optional
        File descriptor of the shared memory; workers get it from the leader.
    leader : int, optional
        Process id of the leader, for the workers: they end when it ends.
    """

    def __init__(
        self, size: int, rank: int = 0, memory: int | None = None, leader: int | None = None
    ) -> None:
        self.size = size
        self.rank = rank
        self._leader = leader
        self._arrays = None if size == 1 else SharedArrays(memory)
        self._processes: list[subprocess.Popen[str]] = []
        self._met = 0
        self._lock = threading.Lock()
        self._counters = self.zeros(size * _STRIDE, np.int64)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for process in self._processes:
            process.kill()
        for process in self._processes:
            process.communicate()
        if self._arrays is not None:
            self._arrays.close()

    def zeros(self, shape: int | tuple[int, ...], dtype: DTypeLike = np.float32) -> np.ndarray:
        """Return an array that all processes share.

        Processes that ask for the same arrays in the same order get the same memory.
        """
        if self._arrays is None:
            return np.zeros(shape, dtype)
        return self._arrays.zeros(shape, dtype)

    def share(self, array: np.ndarray) -> np.ndarray:
        """Return a copy that all processes share; workers get it by calling `zeros`."""
        shared = self.zeros(array.shape, array.dtype)
        shared[...] = array
        return shared

    def start(self, target: Callable[..., None], task: Mapping[str, Any]) -> None:
        """Start the workers.

        Parameters
        ----------
        target : function
            What a worker calls, found by its module and name:
            ``target(workers, task, messages)``, with the lines that `broadcast` sends.
        task : mapping
            The same for every worker; it must be serializable as JSON.
        """
        if self._arrays is None:
            return
        for rank in range(1, self.size):
            order = {
                "target": f"{target.__module__}:{target.__qualname__}",
                "task": task,
                "size": self.size,
                "rank": rank,
                "memory": self._arrays.descriptor,
                "leader": os.getpid(),
            }
            process = subprocess.Popen(
                [sys.executable, "-c", _WORKER.format(path=sys.path)],
                stdin=subprocess.PIPE,
                pass_fds=[self._arrays.descriptor],
                text=True,
            )
            self._processes.append(process)
            self._send(process, json.dumps(order))

    def broadcast(self, message: str) -> None:
        """Send a line to every worker."""
        for process in self._processes:
            self._send(process, message)

    def run(self, function: Callable[[int], None], pieces: int) -> None:
        """Call ``function(piece)`` for the pieces of this process, and wait for the others."""
        for piece in range(self.rank, pieces, self.size):
            function(piece)
        if self.size > 1:
            self._meet()

    def _meet(self) -> None:
        self._met += 1
        self._fence()
        self._counters[self.rank * _STRIDE] = self._met
        spins = 0
        for rank in range(self.size):
            while self._counters[rank * _STRIDE] < self._met:
                spins += 1
                if spins < _SPINS:
                    os.sched_yield()
                else:
                    self._require_others()
                    time.sleep(_NAP)
        self._fence()

    def _fence(self) -> None:
        """Keep earlier writes to memory from being seen after later ones.

        x86 keeps that order anyway. Elsewhere acquiring a lock waits for the last release of
        that lock, and the release waits for all earlier writes; so the lock is taken twice.
        """
        for _ in range(2):
            with self._lock:
                pass

    def _require_others(self) -> None:
        if self.rank and os.getppid() != self._leader:
            raise SystemExit(1)
        for process in self._processes:
            if process.poll() is not None:
                raise WorkerError(process.returncode)

    def _send(self, process: subprocess.Popen[str], line: str) -> None:
        try:
            print(line, file=process.stdin, flush=True)
        except BrokenPipeError:
            raise WorkerError(process.wait()) from None


_WORKER = "import sys; sys.path[:] = {path}; from nn.parallel.worker import main; main()"
