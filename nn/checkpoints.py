"""The state of a training in a file, from which it can be resumed.

The file is in the safetensors format, as weights are, and is replaced as a whole after every
epoch: a training killed at any moment leaves its last complete state, or no file.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from nn import files, weights
from nn.errors import CheckpointError, WeightsError
from nn.history import Epoch
from nn.hyperparameters import Hyperparameters
from nn.training import Training

FORMAT = "digits-training"
FORMAT_VERSION = "1"

_T = TypeVar("_T")


class Checkpoint:
    """The file with the state of one training.

    Parameters
    ----------
    path : Path
    hyperparameters : Hyperparameters
        Those of the training. If ``seed`` or ``threads`` is None, a checkpoint with any value
        is accepted.
    data : str
        Digest of the training and validation data.

    Attributes
    ----------
    hyperparameters : Hyperparameters
        With the ``seed`` and ``threads`` of the file instead of None.

    Raises
    ------
    CheckpointError
        If the file exists and is not the state of this training.
    """

    def __init__(self, path: Path, hyperparameters: Hyperparameters, data: str) -> None:
        self._path = path
        self._data = data
        self._tensors: weights.Tensors = {}
        self._metadata: dict[str, str] = {}
        self.hyperparameters = hyperparameters
        if path.exists():
            self._read()

    def restore(self, training: Training) -> list[Epoch]:
        """Restore the saved state, if any, into a training; return its history."""
        if not self._tensors:
            return []
        for name, vector in _vectors(training).items():
            saved = self._tensors.get(name)
            if saved is None or saved.shape != vector.shape:
                got = "none" if saved is None else f"shape {saved.shape}"
                raise CheckpointError(self._path, f"{name} of shape {vector.shape}", got)
            vector[:] = saved
        try:
            history = [Epoch(**epoch) for epoch in self._parsed("history", list)]
        except TypeError:
            raise CheckpointError(self._path, "a history of epochs", "something else") from None
        training.epoch = len(history)
        return history

    def save(self, training: Training, history: Sequence[Epoch]) -> None:
        """Replace the saved state by that of a training between two epochs."""
        metadata = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "params": json.dumps(training.hyperparameters.get_params(), sort_keys=True),
            "data": self._data,
            "history": json.dumps([asdict(epoch) for epoch in history]),
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        files.write_atomically(self._path, weights.write(_vectors(training), metadata))

    def _read(self) -> None:
        try:
            self._tensors, self._metadata = weights.read(self._path.read_bytes())
        except WeightsError as error:
            raise CheckpointError(self._path, "the state of a training", error.reason) from None
        for name, expected in (("format", FORMAT), ("format_version", FORMAT_VERSION)):
            self._require(name, expected, self._metadata.get(name))
        self._require_params(self._parsed("params", dict))
        self._require("data", self._data, self._metadata.get("data"))

    def _require_params(self, saved: dict[str, Any]) -> None:
        """Compare with the parameters in the file, and take over what was left open."""
        chosen: dict[str, Any] = {}
        for name, expected in self.hyperparameters.get_params().items():
            got = saved.get(name)
            if expected is None and name in {"seed", "threads"} and isinstance(got, int):
                chosen[name] = got
            elif got != expected:
                raise CheckpointError(self._path, f"{name} {expected!r}", repr(got))
        self.hyperparameters = replace(self.hyperparameters, **chosen)

    def _require(self, name: str, expected: str, got: str | None) -> None:
        if got != expected:
            raise CheckpointError(self._path, f"{name} {expected}", str(got))

    def _parsed(self, name: str, kind: type[_T]) -> _T:
        """Return an entry of the metadata, parsed from JSON."""
        text = self._metadata.get(name, "")
        try:
            value = json.loads(text)
        except ValueError:
            value = None
        if not isinstance(value, kind):
            raise CheckpointError(self._path, f"{name} as JSON, a {kind.__name__}", repr(text))
        return value


def digest(*arrays: np.ndarray) -> str:
    """Return the SHA-256 of arrays, their shapes and types included."""
    sha256 = hashlib.sha256()
    for array in arrays:
        sha256.update(f"{array.dtype} {array.shape} ".encode())
        sha256.update(np.ascontiguousarray(array).data)
    return sha256.hexdigest()


def _vectors(training: Training) -> dict[str, np.ndarray]:
    """Return the arrays of a training that a checkpoint holds, by their name in the file."""
    vectors: dict[str, np.ndarray] = {}
    for number, member in enumerate(training.members):
        own = {"parameters": member.parameters.vector}
        # The name of an earlier release; so its checkpoints can still be resumed.
        own |= {f"memory.{index}": v for index, v in enumerate(member.optimizer.state)}
        if training.hyperparameters.skipping:
            own["losses"] = member.selection.losses
        prefix = f"members.{number}." if number else ""
        vectors |= {prefix + name: vector for name, vector in own.items()}
    return vectors
