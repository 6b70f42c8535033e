"""Training a candidate: from Parquet files to a file of weights and its figures."""

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn import CheckpointError, Distortion, Epoch, NeuralNetwork, expected_calibration_error
from pipeline import files, parquet
from pipeline import labelled as labelled_images
from pipeline.ingestion import DataReference
from pipeline.labelled import LabelledReference
from pipeline.progress import report
from pipeline.splits import training_and_validation

_log = logging.getLogger(__name__)

_WEIGHTS = "candidate.safetensors"
_CANDIDATE = "candidate.json"

# Parameters of a version beside those of its network.
_ABOUT_THE_RUN = frozenset(("preset", "gate"))

_COMMON: dict[str, Any] = {
    "activation": "relu",
    "initializer": "he",
    "optimizer": "momentum",
    "learning_rate": 0.1,
    "schedule": "cosine",
    "warmup_epochs": 1,
    "batch_size": 256,
}

# Chosen on validation images alone; CONTRIBUTING.md says how.
PRESETS: dict[str, dict[str, Any]] = {
    "quick": {
        **_COMMON,
        "sizes": (784, 256, 128, 10),
        "epochs": 10,
        # In so few epochs a network learns more from images that are easier.
        "distortion": Distortion(rotation=10, scaling=0.1, shear=0.1, alpha=24),
    },
    "standard": {
        **_COMMON,
        "sizes": (784, 1024, 512, 10),
        "epochs": 30,
        "distortion": Distortion(),
    },
    "best": {
        **_COMMON,
        "sizes": (784, 1536, 1024, 512, 10),
        "epochs": 300,
        # In so many epochs it learns even distorted images by heart.
        "dropout": 0.15,
        "l2": 0.5,
        "distortion": Distortion(),
    },
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """Trained weights that nobody has judged yet, as a path and a digest."""

    path: Path
    sha256: str
    metrics: Mapping[str, float]
    params: Mapping[str, Any]
    """Of the network, with the number of threads that was used."""
    inputs: Mapping[str, str]
    history: tuple[Epoch, ...]


def network_params(preset: str, seed: int) -> dict[str, Any]:
    """Return the parameters of the network that a preset trains, as values JSON can hold."""
    return NeuralNetwork(**PRESETS[preset], seed=seed).get_params()


def network_params_of(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of a version's parameters that its network knows."""
    return {name: value for name, value in params.items() if name not in _ABOUT_THE_RUN}


def inputs_of(data: DataReference, labelled: LabelledReference | None) -> dict[str, str]:
    """Return the digests of all that is trained and tested on, by role."""
    return {**data.inputs, **({"labelled": labelled.sha256} if labelled else {})}


def train(
    data: DataReference,
    labelled: LabelledReference | None,
    params: Mapping[str, Any],
    directory: Path,
) -> Candidate:
    """Train on the training split and the user's own images; measure on validation and test.

    The test set is reported and decides nothing.

    Parameters
    ----------
    params : mapping
        Of the network, as its ``get_params`` gives them.
    directory : Path
        Of this training: what was done of it before is there, and is not done again.

    Raises
    ------
    DamagedDataError
        Where a Parquet file does not hold what it should.
    nn.DivergedError
        Where the loss stops being a finite number. Nothing is written.
    """
    finished = _finished(directory)
    if finished is not None:
        _log.info("Training was finished before: SHA-256 %s.", finished.sha256)
        return finished
    examples = parquet.read(data.train.path, data.train.split)
    training, validation = training_and_validation(examples.labels)
    images, labels = examples.images[training], examples.labels[training]
    if labelled is not None:
        own = labelled_images.read(labelled.path, labelled.sha256).training
        images = np.concatenate([images, own.images])
        labels = np.concatenate([labels, own.labels])
    held_out = (examples.images[validation], examples.labels[validation])
    network = NeuralNetwork.from_params(params)
    _fit(network, images, labels, held_out, directory / "checkpoint.safetensors")

    test = parquet.read(data.test.path, data.test.split)
    last = network.history[-1]
    weights = network.to_bytes()
    path = directory / _WEIGHTS
    with files.replacing(path) as temporary:
        temporary.write_bytes(weights)
    candidate = Candidate(
        path=path,
        sha256=hashlib.sha256(weights).hexdigest(),
        metrics={
            "training_loss": last.loss,
            "training_accuracy": last.accuracy,
            **_figures(network, "validation", *held_out),
            **_figures(network, "test", test.images, test.labels),
            "training_seconds": sum(epoch.seconds for epoch in network.history),
        },
        # As they are kept with the weights: with the number of threads that was used.
        params=NeuralNetwork.from_bytes(weights).get_params(),
        inputs=inputs_of(data, labelled),
        history=tuple(network.history),
    )
    with files.replacing(directory / _CANDIDATE) as temporary:
        temporary.write_text(json.dumps({**asdict(candidate), "path": str(path)}))
    return candidate


def _finished(directory: Path) -> Candidate | None:
    """Return what a training that was done came to, if its weights are there."""
    try:
        found = json.loads((directory / _CANDIDATE).read_text())
    except FileNotFoundError:
        return None
    path = directory / _WEIGHTS
    if not path.exists() or files.sha256(path) != found["sha256"]:
        return None
    history = tuple(Epoch(**epoch) for epoch in found["history"])
    return Candidate(**{**found, "path": path, "history": history})


def _fit(
    network: NeuralNetwork,
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    held_out: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    checkpoint: Path,
) -> None:
    """Train, from the checkpoint on where there is one of this training."""
    reached = 0

    def tell(epoch: Epoch) -> None:
        nonlocal reached
        reached = epoch.number
        remark = f"validation accuracy {epoch.validation_accuracy:.4f}"
        report("Train", epoch.number, network.epochs, remark)
        _log.info(
            "Epoch %d of %d: loss %.4f, %s.", epoch.number, network.epochs, epoch.loss, remark
        )

    report("Train", 0, network.epochs)
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    fit = partial(network.fit, images, labels, held_out, on_epoch=tell, checkpoint=checkpoint)
    try:
        fit()
    except CheckpointError as error:
        _log.warning("Starting from the beginning. %s", error)
        checkpoint.unlink()
        fit()
    if not reached:
        # The checkpoint was that of the last epoch.
        report("Train", network.epochs, network.epochs)


def _figures(
    network: NeuralNetwork, split: str, images: NDArray[np.uint8], labels: NDArray[np.uint8]
) -> dict[str, float]:
    probabilities = network.predict_proba(images)
    return {
        f"{split}_accuracy": float(np.mean(probabilities.argmax(axis=1) == labels)),
        f"{split}_calibration_error": expected_calibration_error(probabilities, labels),
    }
