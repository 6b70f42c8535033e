"""Training a candidate: from Parquet files to a file of weights and its metrics."""

import logging
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn import CheckpointError, Epoch, NeuralNetwork, expected_calibration_error
from pipeline.data import labelled as labelled_images
from pipeline.data import parquet
from pipeline.data.labelled import LabelledReference
from pipeline.data.preparation import DataReference
from pipeline.data.splits import training_and_validation
from pipeline.progress import report
from pipeline.stages import stage
from pipeline.training.candidates import Candidate, load_candidate, save_candidate
from pipeline.training.lineage import inputs_of
from pipeline.training.novelty import fit_novelty

_log = logging.getLogger(__name__)


@stage
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
        Parameters of the network, as its ``get_params`` returns them.
    directory : Path
        Directory of this training. If it was stopped, it resumes from the checkpoint there.

    Raises
    ------
    DamagedDataError
        If a Parquet file is missing or damaged.
    nn.DivergedError
        If the loss is not finite. No candidate is written.
    """
    finished = load_candidate(directory)
    if finished is not None:
        _log.info("The training had finished: SHA-256 %s.", finished.sha256)
        return finished
    examples = parquet.read(data.train.path, data.train.split)
    training, validation = training_and_validation(examples.labels)
    images, labels = examples.images[training], examples.labels[training]
    if labelled is not None:
        user_images = labelled_images.read(labelled.path, labelled.sha256).training
        images = np.concatenate([images, user_images.images])
        labels = np.concatenate([labels, user_images.labels])
    held_out = (examples.images[validation], examples.labels[validation])
    network = NeuralNetwork.from_params(params)
    _fit(network, images, labels, held_out, directory / "checkpoint.safetensors")
    fit_novelty(network, images, held_out[0]).attach(network)

    test = parquet.read(data.test.path, data.test.split)
    last = network.history[-1]
    metrics = {
        "training_loss": last.loss,
        "training_accuracy": last.accuracy,
        **_metrics(network, "validation", *held_out),
        **_metrics(network, "test", test.images, test.labels),
        "training_seconds": sum(epoch.seconds for epoch in network.history),
    }
    return save_candidate(directory, network, metrics, inputs_of(data, labelled))


def _fit(
    network: NeuralNetwork,
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    held_out: tuple[NDArray[np.uint8], NDArray[np.uint8]],
    checkpoint: Path,
) -> None:
    """Train from the checkpoint on, if there is one of this training."""
    last_epoch = 0

    def on_epoch(epoch: Epoch) -> None:
        nonlocal last_epoch
        last_epoch = epoch.number
        remark = f"validation accuracy {epoch.validation_accuracy:.4f}"
        report("Train", epoch.number, network.epochs, remark)
        _log.info(
            "Epoch %d of %d: loss %.4f, %s.", epoch.number, network.epochs, epoch.loss, remark
        )

    report("Train", 0, network.epochs)
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    fit = partial(network.fit, images, labels, held_out, on_epoch=on_epoch, checkpoint=checkpoint)
    try:
        fit()
    except CheckpointError as error:
        _log.warning("Training starts from the beginning. %s", error)
        checkpoint.unlink()
        fit()
    if last_epoch == 0:
        # The checkpoint was that of the last epoch.
        report("Train", network.epochs, network.epochs)


def _metrics(
    network: NeuralNetwork, split: str, images: NDArray[np.uint8], labels: NDArray[np.uint8]
) -> dict[str, float]:
    probabilities = network.predict_proba(images)
    return {
        f"{split}_accuracy": float(np.mean(probabilities.argmax(axis=1) == labels)),
        f"{split}_calibration_error": expected_calibration_error(probabilities, labels),
    }
