"""The errors of `nn`, as a tree.

::

    NetworkError
    ├── InvalidParameterError   a parameter of the network is outside its domain
    ├── InvalidDataError        images or labels have a wrong shape, type or range
    ├── NotFittedError          the network is used before `fit`
    ├── DivergedError           the loss is no longer a finite number
    ├── CheckpointError         a file is not the checkpoint of this training
    ├── WorkerError             a worker process of a training has ended
    └── WeightsError            bytes are not the weights of a network

Errors about an argument are also `ValueError`.
"""

import copyreg
from pathlib import Path
from typing import Any


class NetworkError(Exception):
    """Base class of the errors of `nn`."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception would call `__init__` with the message alone.
        return copyreg.__newobj__, (type(self), *self.args), vars(self)  # type: ignore[attr-defined]


class InvalidParameterError(NetworkError, ValueError):
    """A parameter of the network is outside its domain."""

    def __init__(self, name: str, expected: str, got: object) -> None:
        super().__init__(f"{name}: expected {expected}, got {got!r}.")
        self.name = name
        self.expected = expected
        self.got = got


class InvalidDataError(NetworkError, ValueError):
    """Images or labels have a wrong shape, type or range."""

    def __init__(self, name: str, expected: str, got: str) -> None:
        super().__init__(f"{name}: expected {expected}, got {got}.")
        self.name = name
        self.expected = expected
        self.got = got


class NotFittedError(NetworkError):
    """The network has no weights yet."""

    def __init__(self) -> None:
        super().__init__(
            "This network has no weights yet: call fit(images, labels), "
            "or load some with NeuralNetwork.from_bytes(data)."
        )


class DivergedError(NetworkError):
    """The loss of a batch is not a finite number."""

    def __init__(self, epoch: int, batch: int, learning_rate: float) -> None:
        super().__init__(
            f"Training diverged: the loss is not a finite number in epoch {epoch}, "
            f"batch {batch}, at learning rate {learning_rate:g}. Try a smaller learning rate."
        )
        self.epoch = epoch
        self.batch = batch
        self.learning_rate = learning_rate


class CheckpointError(NetworkError):
    """The file exists and is not the checkpoint of this training."""

    def __init__(self, path: Path, expected: str, got: str) -> None:
        super().__init__(
            f"{path}: expected a checkpoint of this training, with {expected}, got {got}. "
            "Choose another file, or delete this one to start from the beginning."
        )
        self.path = path
        self.expected = expected
        self.got = got


class WorkerError(NetworkError):
    """A worker process ended before its training did."""

    def __init__(self, status: int) -> None:
        super().__init__(
            f"A worker process of this training ended with status {status}. Start the training "
            "again; it resumes from its checkpoint, if it has one. If the machine is short of "
            "memory, set threads=1."
        )
        self.status = status


class WeightsError(NetworkError, ValueError):
    """The bytes are not the weights of a network."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"These bytes are not the weights of a network: {reason}.")
        self.reason = reason
