"""Candidates: trained weights that the gate has not judged yet, in files."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from nn import Epoch, NeuralNetwork
from pipeline import files

_WEIGHTS = "candidate.safetensors"
_RECORD = "candidate.json"


@dataclass(frozen=True, slots=True)
class Candidate:
    """Trained weights, as a path and a digest."""

    path: Path
    sha256: str
    metrics: Mapping[str, float]
    params: Mapping[str, Any]
    """Parameters of the network, with the number of threads that was used."""
    inputs: Mapping[str, str]
    """SHA-256 of everything it was trained and tested on, by role."""
    history: tuple[Epoch, ...]


def save_candidate(
    directory: Path,
    network: NeuralNetwork,
    metrics: Mapping[str, float],
    inputs: Mapping[str, str],
) -> Candidate:
    """Write a trained network to a directory, weights first."""
    weights = network.to_bytes()
    path = directory / _WEIGHTS
    with files.atomic_write(path) as temporary:
        temporary.write_bytes(weights)
    candidate = Candidate(
        path=path,
        sha256=hashlib.sha256(weights).hexdigest(),
        metrics=metrics,
        # Read back, since the file has the number of threads that was used.
        params=NeuralNetwork.from_bytes(weights).get_params(),
        inputs=inputs,
        history=tuple(network.history),
    )
    with files.atomic_write(directory / _RECORD) as temporary:
        temporary.write_text(json.dumps({**asdict(candidate), "path": str(path)}))
    return candidate


def load_candidate(directory: Path) -> Candidate | None:
    """Return the candidate that a finished training left; None if its weights are not there."""
    try:
        record = json.loads((directory / _RECORD).read_text())
    except FileNotFoundError:
        return None
    path = directory / _WEIGHTS
    if not path.exists() or files.sha256(path) != record["sha256"]:
        return None
    history = tuple(Epoch(**epoch) for epoch in record["history"])
    return Candidate(**{**record, "path": path, "history": history})
