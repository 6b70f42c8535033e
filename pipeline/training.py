"""Training a candidate: from Parquet files to a file of weights and its figures."""

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nn import Epoch, NeuralNetwork
from pipeline import files, parquet
from pipeline.ingestion import DataReference
from pipeline.progress import report
from pipeline.splits import training_and_validation

_log = logging.getLogger(__name__)

PRESETS: dict[str, dict[str, Any]] = {
    "quick": {
        "sizes": (784, 256, 10),
        "activation": "relu",
        "initializer": "he",
        "learning_rate": 0.1,
        "batch_size": 32,
        "epochs": 12,
    },
    "standard": {
        "sizes": (784, 512, 256, 10),
        "activation": "relu",
        "initializer": "he",
        "learning_rate": 0.1,
        "batch_size": 32,
        "epochs": 20,
        "l2": 3.0,
    },
    "best": {
        "sizes": (784, 1024, 512, 10),
        "activation": "relu",
        "initializer": "he",
        "learning_rate": 0.1,
        "batch_size": 32,
        "epochs": 40,
        "l2": 3.0,
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


def train(data: DataReference, preset: str, seed: int, path: Path) -> Candidate:
    """Train on the training split and measure on validation and test.

    The test set is reported and decides nothing.

    Parameters
    ----------
    preset : {"quick", "standard", "best"}
    path : Path
        Where the weights go.

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
    network.fit(examples.images[training], examples.labels[training], held_out, on_epoch=tell)

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
            "validation_accuracy": network.validate(*held_out),
            "test_accuracy": network.validate(test.images, test.labels),
            "training_seconds": sum(epoch.seconds for epoch in network.history),
        },
        params={"preset": preset, **network.get_params()},
        inputs=data.inputs,
    )
