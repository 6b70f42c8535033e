"""The group of processes that share a training, as each member sees it."""

import contextlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import DTypeLike

from nn.errors import WorkerError
from nn.parallel.channels import Channel
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
    leader : Channel, optional
        Connection to the leader, for the workers.
    """

    def __init__(
        self,
        size: int,
        rank: int = 0,
        memory: int | None = None,
        leader: Channel | None = None,
    ) -> None:
        self.size = size
        self.rank = rank
        self._leader = leader
        self._arrays = None if size == 1 else SharedArrays(memory)
        self._started: list[_Started] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for worker in self._started:
            worker.process.kill()
        for worker in self._started:
            worker.process.communicate()
            worker.channel.close()
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
            If a worker ends at once.
        """
        for rank in range(1, self.size):
            self._start(rank, f"{target.__module__}:{target.__qualname__}", task)

    def broadcast(self, message: str) -> None:
        """Send a line to every worker.

        Raises
        ------
        WorkerError
            If a worker has ended.
        """
        for worker in self._started:
            with worker.watched():
                print(message, file=worker.process.stdin, flush=True)

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
        self._synchronize()

    def _synchronize(self) -> None:
        """Wait until every process has called this: the leader collects and releases them."""
        if self._leader is not None:
            try:
                self._leader.signal()
                self._leader.wait()
            except BrokenPipeError:
                raise SystemExit(1) from None
        for worker in self._started:
            with worker.watched():
                worker.channel.wait()
        for worker in self._started:
            with worker.watched():
                worker.channel.signal()

    def _start(self, rank: int, target: str, task: Mapping[str, Any]) -> None:
        assert self._arrays is not None
        channel, theirs = Channel.pair()
        order = {
            "target": target,
            "task": task,
            "size": self.size,
            "rank": rank,
            "memory": self._arrays.descriptor,
            "channel": theirs,
        }
        try:
            process = subprocess.Popen(
                [sys.executable, "-c", _WORKER.format(path=sys.path)],
                stdin=subprocess.PIPE,
                pass_fds=[self._arrays.descriptor, *theirs],
                text=True,
            )
        except OSError:
            channel.close()
            raise
        finally:
            theirs.close()
        worker = _Started(process, channel)
        self._started.append(worker)
        with worker.watched():
            print(json.dumps(order), file=process.stdin, flush=True)


class _Started(NamedTuple):
    """A worker, as the leader sees it."""

    process: subprocess.Popen[str]
    channel: Channel

    @contextlib.contextmanager
    def watched(self) -> Iterator[None]:
        """Raise a `WorkerError` if the worker has ended."""
        try:
            yield
        except BrokenPipeError:
            raise WorkerError(self.process.wait()) from None


_WORKER = "import sys; sys.path[:] = {path}; from nn.parallel.worker import main; main()"
