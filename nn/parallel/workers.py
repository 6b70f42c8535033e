"""The group of processes that share a training, as each member sees it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike

from nn.errors import WorkerError
from nn.parallel.barrier import Barrier, EndedError, Inboxes
from nn.parallel.shared_arrays import SharedArrays


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
    barrier : Barrier, optional
        The barrier of all processes. Workers build it from descriptors that the leader sends.
    """

    def __init__(
        self,
        size: int,
        rank: int = 0,
        memory: int | None = None,
        barrier: Barrier | None = None,
    ) -> None:
        self.size = size
        self.rank = rank
        self._arrays = None if size == 1 else SharedArrays(memory)
        self._barrier = barrier
        self._pipes: set[int] = set()
        self._processes: list[subprocess.Popen[str]] = []

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
        for descriptor in self._pipes:
            os.close(descriptor)
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

        Raises
        ------
        WorkerError
            If a worker has ended.
        """
        if self._arrays is None:
            return
        own, *others = Inboxes.for_processes(self.size)
        self._pipes.update(own.descriptors, *(inboxes.descriptors for inboxes in others))
        self._barrier = Barrier(own)
        for rank, inboxes in enumerate(others, start=1):
            process = subprocess.Popen(
                [sys.executable, "-c", _WORKER.format(path=sys.path)],
                stdin=subprocess.PIPE,
                pass_fds=[self._arrays.descriptor, *inboxes.descriptors],
                text=True,
            )
            assert process.stdin is not None
            self._processes.append(process)
            self._barrier.watch(process.stdin.fileno())
            order = {
                "target": f"{target.__module__}:{target.__qualname__}",
                "task": task,
                "size": self.size,
                "rank": rank,
                "memory": self._arrays.descriptor,
                "reading": inboxes.reading,
                "writing": inboxes.writing,
            }
            self._send(process, json.dumps(order))

    def broadcast(self, message: str) -> None:
        """Send a line to every worker.

        Raises
        ------
        WorkerError
            If a worker has ended.
        """
        for process in self._processes:
            self._send(process, message)

    def run(self, function: Callable[[int], None], pieces: int) -> None:
        """Call ``function(piece)`` for the pieces of this process, and wait for the others.

        Raises
        ------
        WorkerError
            If a worker has ended.
        SystemExit
            In a worker, if the leader has ended.
        """
        for piece in range(self.rank, pieces, self.size):
            function(piece)
        if self._barrier is None:
            return
        try:
            self._barrier.wait()
        except EndedError as error:
            if self.rank > 0:
                raise SystemExit(1) from None
            (ended,) = (
                process
                for process in self._processes
                if process.stdin is not None and process.stdin.fileno() == error.descriptor
            )
            raise WorkerError(ended.wait()) from None

    def _send(self, process: subprocess.Popen[str], line: str) -> None:
        try:
            print(line, file=process.stdin, flush=True)
        except BrokenPipeError:
            raise WorkerError(process.wait()) from None


_WORKER = "import sys; sys.path[:] = {path}; from nn.parallel.worker import main; main()"
