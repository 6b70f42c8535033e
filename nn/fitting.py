"""Fitting a network: epoch after epoch, with validation, checkpoints and calibration."""

import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from nn import checkpoints
from nn.calibration import best_temperature
from nn.checkpoints import Checkpoint
from nn.cores import available_cores
from nn.history import Epoch
from nn.hyperparameters import Hyperparameters
from nn.model import Model
from nn.session import training_session, useful_workers
from nn.training import Training


class Dataset(NamedTuple):
    """Images and labels that have been validated."""

    x: np.ndarray
    """uint8 or float, shape ``(n, sizes[0])``."""
    y: np.ndarray
    """int, shape ``(n,)``."""


class Fitted(NamedTuple):
    """The outcome of a fit."""

    model: Model
    temperature: float
    """Fitted to the validation data; 1 without them."""


def fit(
    hyperparameters: Hyperparameters,
    training_data: Dataset,
    validation_data: Dataset | None,
    image_shape: tuple[int, int],
    *,
    history: list[Epoch],
    on_epoch: Callable[[Model], None],
    checkpoint: Path | None,
) -> Fitted:
    """Train a network from scratch, or from its checkpoint if there is one.

    Parameters
    ----------
    image_shape : tuple of int
        Height and width of an image, for distortion.
    history : list of Epoch
        Gets a record of every completed epoch, those of the checkpoint included.
    on_epoch : callable
        Called with the model as it is after each epoch.

    Raises
    ------
    DivergedError, CheckpointError, WorkerError
        As `NeuralNetwork.fit` says.
    """
    x, y = training_data
    if hyperparameters.threads is not None:
        useful = useful_workers(hyperparameters, len(x), hyperparameters.threads)
        hyperparameters = replace(hyperparameters, threads=useful)
    saved = None
    if checkpoint is not None:
        digest = checkpoints.digest(x.reshape(len(x), *image_shape), y, *(validation_data or ()))
        saved = Checkpoint(checkpoint, hyperparameters, digest)
        hyperparameters = saved.hyperparameters
    seed, threads = hyperparameters.seed, hyperparameters.threads
    if seed is None:
        seed = secrets.randbits(128)
    if threads is None:
        threads = useful_workers(hyperparameters, len(x), available_cores())
    hyperparameters = replace(hyperparameters, seed=seed, threads=threads)

    with training_session(hyperparameters, x, y, image_shape, seed, threads) as training:
        if saved:
            history += saved.restore(training)
        while training.epoch < hyperparameters.epochs:
            model, epoch = _run_epoch(training, hyperparameters, validation_data, threads)
            history.append(epoch)
            if saved:
                saved.save(training, history)
            on_epoch(model)
        model = Model(hyperparameters, training.result())
        if validation_data is None:
            return Fitted(model, 1.0)
        # Inside the session, in which BLAS has one thread: with more it would round differently.
        z = model.logits(validation_data.x)
        return Fitted(model, best_temperature(z, validation_data.y, hyperparameters.output))


def _run_epoch(
    training: Training,
    hyperparameters: Hyperparameters,
    validation_data: Dataset | None,
    threads: int,
) -> tuple[Model, Epoch]:
    started = time.perf_counter()
    # A loss that overflows is reported as a DivergedError, not as NumPy's warnings.
    with np.errstate(over="ignore", invalid="ignore"):
        loss, accuracy = training.run_epoch()
    model = Model(hyperparameters, training.result())
    validation_loss = validation_accuracy = None
    if validation_data is not None:
        validation_loss, validation_accuracy = model.evaluate(*validation_data, threads=threads)
    epoch = Epoch(
        training.epoch,
        loss,
        accuracy,
        validation_loss,
        validation_accuracy,
        training.learning_rate,
        time.perf_counter() - started,
    )
    return model, epoch
