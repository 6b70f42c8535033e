"""Labelled images on this machine that no version was trained on, and what versions say of them."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from nn import NeuralNetwork
from pipeline.data import mnist, parquet
from pipeline.data.labelled import LabelledReference, path_of
from pipeline.errors import InputError
from pipeline.gate.panels import Panel, held_out_panel
from pipeline.settings import Settings
from registry import ModelVersion, open_blobs

TEST = "test"
"""MNIST's test images."""

# Versions whose predictions are kept: 400 kB each for 10,000 images.
_KEPT = 32


def own_images(*versions: ModelVersion) -> str | None:
    """Return the SHA-256 of the user's own images, of the newest version; None if it had none."""
    newest = max(versions, key=lambda version: version.created_at)
    return newest.inputs.get("labelled")


def known_images(settings: Settings, which: str) -> Panel:
    """Return labelled images that are held out from every training.

    Parameters
    ----------
    settings : Settings
    which : str
        `TEST`, or the SHA-256 of the user's own images.

    Raises
    ------
    InputError
        If they are not on this machine.
    DamagedDataError
        If their file is damaged.
    """
    if which == TEST:
        path = settings.data / "test.parquet"
        if not path.exists():
            raise InputError("MNIST is not on this machine. `digits ingest` downloads it.")
        examples = parquet.read(path, mnist.MNIST.test)
        return Panel(examples.images, examples.labels, lambda index: f"test image {index}")
    path = path_of(settings.labelled, which)
    if not path.exists():
        raise InputError("Your own labelled images are not on this machine.")
    for panel in held_out_panel(LabelledReference(path, which)):
        return panel
    raise InputError("None of your own images is held out.")


@lru_cache(maxsize=_KEPT)
def probabilities_on(settings: Settings, sha256: str, which: str) -> NDArray[np.float32]:
    """Return what the version with these weights says about known images, shape (n, 10).

    The array is read-only. Parameters are those of `known_images`, and the SHA-256 of the weights.

    Raises
    ------
    InputError, DamagedDataError
        See `known_images`.
    registry.BlobError
        If the weights are missing or damaged.
    nn.WeightsError
        If they are not those of a network.
    """
    network = NeuralNetwork.from_bytes(open_blobs(settings.blobs_url).get(sha256))
    probabilities = network.predict_proba(known_images(settings, which).images)
    probabilities.flags.writeable = False
    return probabilities
