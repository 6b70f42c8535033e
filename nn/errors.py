"""What can go wrong in `nn`, as one tree.

::

    NetworkError
    ├── InvalidParameterError   a parameter of the network is outside its domain
    ├── InvalidDataError        images or labels of a wrong shape, type or range
    ├── NotFittedError          asked to predict before `fit`
    ├── DivergedError           the loss is no longer a finite number
    ├── CheckpointError         a file that is not the state of this training
    ├── HelperError             a process that helped with a training has ended
    └── WeightsError            bytes that are not the weights of a network

Those that concern an argument are `ValueError` as well, as Python's users expect.
"""

from pathlib import Path


class NetworkError(Exception):
    """Any failure that `nn` foresees."""


class InvalidParameterError(NetworkError, ValueError):
    """A parameter of the network is outside its domain."""

    def __init__(self, name: str, expected: str, got: object) -> None:
        super().__init__(f"{name}: expected {expected}, got {got!r}.")
        self.name = name
        self.expected = expected
        self.got = got


class InvalidDataError(NetworkError, ValueError):
    """Images or labels of a wrong shape, type or range."""

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
    """The loss of a batch was not a finite number; the weights are of no use."""

    def __init__(self, epoch: int, batch: int, learning_rate: float) -> None:
        super().__init__(
            f"Training diverged: the loss stopped being a finite number in epoch {epoch}, "
            f"batch {batch}, at learning rate {learning_rate:g}. Try a smaller learning rate."
        )
        self.epoch = epoch
        self.batch = batch
        self.learning_rate = learning_rate


class CheckpointError(NetworkError):
    """The file is there, and is not the state of this training."""

    def __init__(self, path: Path, expected: str, got: str) -> None:
        super().__init__(
            f"{path}: expected a checkpoint of this training, with {expected}, got {got}. "
            "Name another file, or delete this one to start from the beginning."
        )
        self.path = path
        self.expected = expected
        self.got = got


class HelperError(NetworkError):
    """A process that helped with a training has ended before it was done."""

    def __init__(self, status: int) -> None:
        super().__init__(
            f"A process that helped with this training has ended, with status {status}. "
            "Start again, from the checkpoint if there is one; a machine short of memory "
            "may need threads=1."
        )
        self.status = status


class WeightsError(NetworkError, ValueError):
    """The bytes are not the weights of a network."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"These bytes are not the weights of a network: {reason}.")
        self.reason = reason
