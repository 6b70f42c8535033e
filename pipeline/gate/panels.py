"""Panels: the held-out images on which a candidate and the champion are compared.

No version was trained on them: they are the validation split of MNIST, and the held-out part of
the user's own labelled images.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nn import NeuralNetwork
from pipeline.data import labelled as labelled_images
from pipeline.data import parquet
from pipeline.data.labelled import LabelledReference
from pipeline.data.preparation import DataReference
from pipeline.data.splits import training_and_validation
from pipeline.metrics.evaluation import Evaluation, evaluate


@dataclass(frozen=True, slots=True)
class Panel:
    """Labelled images that no version was trained on."""

    images: NDArray[np.uint8]
    """Shape (n, 28, 28)."""
    labels: NDArray[np.uint8]
    """Shape (n,)."""
    location: Callable[[int], str]
    """Returns where an image is, by its index."""

    def results_of(self, networks: Sequence[NeuralNetwork]) -> "PanelResult":
        """Return what a candidate and, if there is one, the champion predict."""
        probabilities = tuple(network.predict_proba(self.images) for network in networks)
        evaluations = [
            evaluate(each, self.images, self.labels, self.location) for each in probabilities
        ]
        champion = evaluations[1] if len(evaluations) > 1 else None
        return PanelResult(self, probabilities, PanelEvaluation(evaluations[0], champion))


@dataclass(frozen=True, slots=True)
class PanelEvaluation:
    """Candidate and champion on the same images."""

    candidate: Evaluation
    champion: Evaluation | None
    """None if there was no champion."""

    @property
    def change(self) -> float | None:
        """The candidate's accuracy minus the champion's; None if there was no champion."""
        if self.champion is None:
            return None
        # The difference of the accuracies is -0.0020000000000000018 for ten images of 5,000.
        return (self.champion.wrong - self.candidate.wrong) / self.candidate.images


@dataclass(frozen=True, slots=True)
class PanelResult:
    """The predictions of one or two networks on a panel."""

    panel: Panel
    probabilities: tuple[NDArray[np.float32], ...]
    """Shape (n, 10) each: the candidate's and, if there is one, the champion's."""
    evaluation: PanelEvaluation


def validation_panel(data: DataReference) -> Panel:
    """Return the validation split of MNIST.

    Raises
    ------
    DamagedDataError
        If the Parquet file is missing or damaged.
    """
    examples = parquet.read(data.train.path, data.train.split)
    _, indices = training_and_validation(examples.labels)
    return Panel(
        examples.images[indices],
        examples.labels[indices],
        lambda index: f"training image {indices[index]}",
    )


def held_out_panel(labelled: LabelledReference | None) -> Iterator[Panel]:
    """Yield the user's own held-out images, if there are any.

    Raises
    ------
    DamagedDataError
        If the file is missing or damaged, or has other images.
    """
    if labelled is None:
        return
    held_out = labelled_images.read(labelled.path, labelled.sha256).held_out
    if held_out.paths:
        yield Panel(held_out.images, held_out.labels, held_out.paths.__getitem__)
