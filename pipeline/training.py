"""Training a candidate: from Parquet files to a file of weights and its figures."""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn import CheckpointError, Distortion, Epoch, NeuralNetwork, expected_calibration_error
from pipeline import files, parquet
from pipeline.ingestion import DataReference
from pipeline.progress import report
from pipeline.splits import training_and_validation

_log = logging.getLogger(__name__)

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
    inputs: Mapping[str, str]


def train(data: DataReference, preset: str, seed: int, path: Path, checkpoint: Path) -> Candidate:
    """Train on the training split and measure on validation and test.

    The test set is reported and decides nothing.

    Parameters
    ----------
    preset : {"quick", "standard", "best"}
    path : Path
        Where the weights go.
    checkpoint : Path
        Where the state of the training is kept, and looked for. One that is of another training
        (other data, or a preset that has changed since) is replaced.

    Raises
    ------
    DamagedDataError
        Where a Parquet file does not hold what it should.
    nn.DivergedError
        Where the loss stops being a finite number. Nothing is written.
    """
    examples = parquet.read(data.train.path, data.train.split)
    training, validation = training_and_validation(examples.labels)
    held_out = (examples.images[validation], examples.labels[validation])
    network = NeuralNetwork(**PRESETS[preset], seed=seed)

    def tell(epoch: Epoch) -> None:
        remark = f"validation accuracy {epoch.validation_accuracy:.4f}"
        report("Train", epoch.number, network.epochs, remark)
        _log.info(
            "Epoch %d of %d: loss %.4f, %s.", epoch.number, network.epochs, epoch.loss, remark
        )

    report("Train", 0, network.epochs)
    fit = partial(
        network.fit,
        examples.images[training],
        examples.labels[training],
        held_out,
        on_epoch=tell,
        checkpoint=checkpoint,
    )
    try:
        fit()
    except CheckpointError as error:
        _log.warning("Starting from the beginning. %s", error)
        checkpoint.unlink()
        fit()

    test = parquet.read(data.test.path, data.test.split)
    last = network.history[-1]
    weights = network.to_bytes()
    with files.replacing(path) as temporary:
        temporary.write_bytes(weights)
    return Candidate(
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
        params={"preset": preset, **NeuralNetwork.from_bytes(weights).get_params()},
        inputs=data.inputs,
    )


def _figures(
    network: NeuralNetwork, split: str, images: NDArray[np.uint8], labels: NDArray[np.uint8]
) -> dict[str, float]:
    probabilities = network.predict_proba(images)
    return {
        f"{split}_accuracy": float(np.mean(probabilities.argmax(axis=1) == labels)),
        f"{split}_calibration_error": expected_calibration_error(probabilities, labels),
    }
