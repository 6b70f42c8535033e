"""The state of a training, in a file, so that it can go on where it was stopped.

The file is safetensors, as weights are, and replaced as a whole after every epoch: a training
killed at any moment leaves its last complete state, or none.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from nn import weights
from nn.errors import CheckpointError, WeightsError
from nn.history import Epoch
from nn.training import Training

FORMAT = "digits-training"
FORMAT_VERSION = "1"

_T = TypeVar("_T")


class Checkpoint:
    """A file for the state of one training.

    Parameters
    ----------
    path : Path
    params : mapping
        Of the training, as JSON holds them. Where ``seed`` or ``threads`` is None, a checkpoint
        with any will do, and `resolved` tells which it has.
    data : str
        Digest of what is trained on.

    Raises
    ------
    CheckpointError
        Where the file is there and is not the state of this training.
    """

    def __init__(self, path: Path, params: Mapping[str, Any], data: str) -> None:
        self._path = path
        self._data = data
        self._tensors: weights.Tensors = {}
        self._metadata: dict[str, str] = {}
        self.resolved: dict[str, Any] = dict(params)
        if path.exists():
            self._read()

    def _read(self) -> None:
        try:
            self._tensors, self._metadata = weights.read(self._path.read_bytes())
        except WeightsError as error:
            raise CheckpointError(self._path, "the state of a training", error.reason) from None
        found = self._metadata
        for name, expected in (("format", FORMAT), ("format_version", FORMAT_VERSION)):
            if found.get(name) != expected:
                raise CheckpointError(self._path, f"{name} {expected}", str(found.get(name)))
        params = self._object("params", dict)
        for name, expected in self.resolved.items():
            got = params.get(name)
            if expected is None and name in {"seed", "threads"} and isinstance(got, int):
                self.resolved[name] = got
            elif got != expected:
                raise CheckpointError(self._path, f"{name} {expected!r}", repr(got))
        if found.get("data") != self._data:
            raise CheckpointError(self._path, f"data {self._data}", str(found.get("data")))

    def restore(self, training: Training) -> list[Epoch]:
        """Put a training in the state that was kept, if any was; return its history."""
        if not self._tensors:
            return []
        for name, vector in _vectors(training).items():
            kept = self._tensors.get(name)
            if kept is None or kept.shape != vector.shape:
                got = "none" if kept is None else f"shape {kept.shape}"
                raise CheckpointError(self._path, f"{name} of shape {vector.shape}", got)
            vector[:] = kept
        try:
            history = [Epoch(**epoch) for epoch in self._object("history", list)]
        except TypeError:
            raise CheckpointError(self._path, "a history of epochs", "another") from None
        training.epoch = len(history)
        return history

    def _object(self, name: str, kind: type[_T]) -> _T:
        """Return what a part of the metadata holds as JSON."""
        text = self._metadata.get(name, "")
        try:
            found = json.loads(text)
        except ValueError:
            found = None
        if not isinstance(found, kind):
            raise CheckpointError(self._path, f"{name} as JSON, a {kind.__name__}", repr(text))
        return found

    def save(self, training: Training, history: Sequence[Epoch]) -> None:
        """Replace what was kept by the state of a training between two epochs."""
        metadata = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "params": json.dumps(self.resolved, sort_keys=True),
            "data": self._data,
            "history": json.dumps([asdict(epoch) for epoch in history]),
        }
        self._path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            with temporary.open("wb") as file:
                file.write(weights.write(_vectors(training), metadata))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._path)
        finally:
            temporary.unlink(missing_ok=True)


def digest(*arrays: np.ndarray) -> str:
    """Return the SHA-256 of arrays, their shapes and types included."""
    found = hashlib.sha256()
    for array in arrays:
        found.update(f"{array.dtype} {array.shape} ".encode())
        found.update(np.ascontiguousarray(array).data)
    return found.hexdigest()


def _vectors(training: Training) -> dict[str, np.ndarray]:
    vectors = {"parameters": training.parameters.vector}
    vectors |= {f"memory.{number}": vector for number, vector in enumerate(training.memory)}
    return vectors
