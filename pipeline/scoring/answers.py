"""A network's answers for a batch of images, and the rows of a shard that they become."""

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from nn import NeuralNetwork
from pipeline.images.evidence import Judge
from pipeline.images.parts import SEVERAL
from pipeline.inputs.source import Batch
from pipeline.metrics.confidence import softened
from pipeline.metrics.counts import DIGITS
from pipeline.metrics.novelty import NOVEL, NoveltyScore

NOT_ONE_DIGIT = "not one digit"
"""Reason why an image that was to be rejected has no prediction."""

# A reading whose image is less likely one digit than this is the less likely one itself.
_USUAL = 0.02
_LEAST = 0.05


@dataclass(frozen=True, slots=True)
class Answers:
    """What is said of the images of a batch."""

    images: NDArray[np.uint8]
    """Those that have a prediction, in order; shape (n, 28, 28)."""
    is_normalized: NDArray[np.bool_]
    """Which of them were normalized, shape (n,)."""
    probabilities: NDArray[np.float32]
    """Shape (n, 10)."""
    reasons: dict[int, str]
    """Why the others have none, by their places in the batch."""
    novelty: NDArray[np.float32]
    """The p-value of each image of the batch; NaN if there is none. Shape (len(batch.paths),)."""


@dataclass
class Rows:
    """The rows of a shard."""

    paths: list[str] = field(default_factory=list)
    reasons: dict[int, str] = field(default_factory=dict)
    """Why there is no prediction, by the number of the row."""
    notes: dict[int, str] = field(default_factory=dict)
    """What was removed from an image or done to it, by the number of the row."""
    answers: list[Answers] = field(default_factory=list)
    images_read: int = 0
    """Number of images that the rows are of; fewer than rows if images were split."""

    def add(self, batch: Batch, answers: Answers) -> None:
        """Add the rows of a batch."""
        first = len(self.paths)
        self.reasons |= {first + index: reason for index, reason in answers.reasons.items()}
        self.notes |= {first + index: note for index, note in batch.notes.items()}
        self.paths += batch.paths
        self.images_read += batch.images_read
        # The images themselves are not kept.
        self.answers.append(replace(answers, images=answers.images[:0]))

    @property
    def probabilities(self) -> NDArray[np.float32]:
        """Of the rows with a prediction, in order; shape (n, 10)."""
        none = np.empty((0, DIGITS), np.float32)
        return np.concatenate([none, *(answers.probabilities for answers in self.answers)])

    @property
    def novelty(self) -> NDArray[np.float32]:
        """The p-value of each row; NaN if there is none. Shape (len(paths),)."""
        none = np.empty(0, np.float32)
        return np.concatenate([none, *(answers.novelty for answers in self.answers)])

    @property
    def novel(self) -> int:
        """How many rows do not look like one digit."""
        return int(np.count_nonzero(self.novelty < NOVEL))


def answers_for(network: NeuralNetwork, batch: Batch, reject: float | None) -> Answers:
    """Return a network's answers for a batch.

    Parameters
    ----------
    reject : float, optional
        Images whose p-value is smaller get no prediction.
    """
    novelty = np.full(len(batch.paths), np.nan, np.float32)
    reasons = dict(batch.reasons)
    images, is_normalized = batch.images, batch.is_normalized
    if not len(images):
        none = np.empty((0, DIGITS), np.float32)
        return Answers(images, is_normalized, none, reasons, novelty)
    score = NoveltyScore.of(network)
    if score is None:
        probabilities = softened(network.predict_proba(images), is_normalized)
        return Answers(images, is_normalized, probabilities, reasons, novelty)
    probabilities, hidden = network.predict_with_hidden(images)
    probabilities = softened(probabilities, is_normalized)
    p_values = score.p_values(hidden)
    places = np.delete(np.arange(len(batch.paths)), list(reasons))
    novelty[places] = p_values
    if reject is not None:
        is_kept = p_values >= reject
        for place in places[~is_kept].tolist():
            has_several = SEVERAL in batch.notes.get(place, "")
            reasons[place] = SEVERAL if has_several else NOT_ONE_DIGIT
        images, is_normalized = images[is_kept], is_normalized[is_kept]
        probabilities = probabilities[is_kept]
    return Answers(images, is_normalized, probabilities, reasons, novelty)


def judge_of(network: NeuralNetwork) -> Judge:
    """Return how likely a network finds it that images are digits which were read right."""
    score = NoveltyScore.of(network)

    def judge(images: NDArray[np.uint8]) -> NDArray[np.float32]:
        if score is None:
            confidence: NDArray[np.float32] = network.predict_proba(images).max(axis=1)
            return confidence
        probabilities, hidden = network.predict_with_hidden(images)
        is_digit = np.clip(score.p_values(hidden) / _USUAL, _LEAST, 1)
        likely: NDArray[np.float32] = probabilities.max(axis=1) * is_digit
        return likely

    return judge
