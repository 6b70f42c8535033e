"""The queue: which image is given to whom, and saving what is decided.

The order is: predictions of low confidence, the least certain first; predictions that the
challenger disagrees with; images that may be no digit; all others, the least certain first. Every
fifth image is of a random sample instead, whatever its confidence.
"""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nn import NeuralNetwork
from pipeline import files
from pipeline.errors import DamagedDataError, InputError
from pipeline.review import kept_images
from pipeline.review.accuracy import SampleAccuracy
from pipeline.review.claims import Claims
from pipeline.review.decision_file import DecisionFile
from pipeline.review.decisions import UNDO, Decision, Standing, now
from pipeline.review.rows import Group, Rows
from pipeline.review.scored_batch import NO_PREDICTION, ScoredBatch
from registry import AgreedLabels

_log = logging.getLogger(__name__)

# Every fifth image that is given is one of the random sample.
_SAMPLE_EVERY = 5

# A batch of which so many images cannot be read is left out.
_MAX_UNREADABLE = 100

LoadNetwork = Callable[[str], NeuralNetwork | None]


@dataclass(frozen=True, slots=True)
class ReviewItem:
    """An image that is given to a reviewer."""

    sha256: str
    batch: str
    """The key of its batch."""
    row: int
    """Its row in the batch."""
    path: str
    group: Group
    """Why it is given."""
    prediction: int | None
    confidence: float | None
    """A fraction in [0, 1]."""
    novelty: float | None
    """A p-value."""
    notes: str
    model: str
    seen: bytes = field(repr=False)
    """The image as the network sees it: 784 bytes, row by row; 0 is paper, 255 is ink."""


@dataclass(frozen=True, slots=True)
class Undone:
    """A decision that was taken back."""

    decision: Decision
    item: ReviewItem | None
    """Its image, to be shown again; None if it is of a batch that is not in the queue."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a review is."""

    decided: int
    """Number of images that are decided on."""
    images: int
    """Number of images that can be decided on."""
    uncertain: int
    """Number of uncertain predictions that are not decided on."""
    accuracy: SampleAccuracy
    """Of the predictions, estimated from the random sample."""


class ReviewQueue:
    """The images of some batches, in the order in which they are reviewed.

    Several threads may use a queue, and several processes may have one over the same directory of
    reviews: each image is given to one reviewer at a time.

    Parameters
    ----------
    directory : Path
        The directory of reviews, which has the decisions.
    batches : sequence of ScoredBatch
    load_network : callable
        Returns the network whose weights have a SHA-256; None if there is none any more.

    Attributes
    ----------
    problems : list of str
        Why batches are left out.
    """

    def __init__(
        self, directory: Path, batches: Sequence[ScoredBatch], load_network: LoadNetwork
    ) -> None:
        self._directory = directory
        self._rows = Rows(batches)
        self._load_network = load_network
        self._file = DecisionFile(directory)
        self._lock = threading.Lock()
        self._standing = self._file.standing
        self._updated = 0
        self._given = 0
        self._unreadable: Counter[str] = Counter()
        self.problems: list[str] = []

    def take(
        self, holder: str, reviewer: str, count: int, shown: Sequence[str] = ()
    ) -> list[ReviewItem]:
        """Return the next images for a reviewer, who gets a claim to each.

        Parameters
        ----------
        holder : str
            Who has the claims: a window of a reviewer.
        reviewer : str
        count : int
            Maximum number of images.
        shown : sequence of str
            SHA-256 of the images that the holder has already; the claims to them are renewed.
        """
        items: list[ReviewItem] = []
        passed: set[int] = set()
        while len(items) < count:
            held = {*shown, *(item.sha256 for item in items)}
            chosen = self._choose(holder, reviewer, count - len(items), held, passed)
            if not chosen:
                break
            passed |= chosen.keys()
            for row, group in chosen.items():
                sheet = self._sheet(row)
                if sheet is None:
                    continue
                sha256 = kept_images.digest(sheet)
                if sha256 not in held and self._claim(row, sha256, holder, reviewer):
                    kept_images.keep(self._directory, sha256, sheet)
                    items.append(self._item(row, group, sha256, sheet))
                    held.add(sha256)
        return items

    def decide(self, decision: Decision) -> None:
        """Save a decision; it is on disk when this returns.

        Raises
        ------
        InputError
            If the image was not given to a reviewer.
        OutputError
            If it cannot be written.
        """
        if not kept_images.is_kept(self._directory, decision.sha256):
            raise InputError(f"{decision.sha256}: expected an image that was given to a reviewer.")
        with self._locked() as (claims, _):
            self._file.append([decision])
            claims.release(decision.sha256)

    def decision_on(
        self, key: str, number: int, sha256: str, answer: str, reviewer: str, decision_id: str
    ) -> Decision:
        """Return a decision about an image that was given.

        If its batch has been scored again since, or is not in the queue, it is about the image
        alone.

        Parameters
        ----------
        key : str
            The key of the batch.
        number : int
            The row in the batch.
        sha256 : str
        answer : str
            One of `pipeline.review.decisions.DECISIONS`, but no undo.
        reviewer : str
        decision_id : str
            The same if the decision is sent again.

        Raises
        ------
        ValueError
            If one of them is outside its domain.
        """
        row = self._rows.row_of(key, number)
        decision = Decision(decision_id, sha256, answer, reviewer, now())
        if row is not None:
            batch, _ = self._rows.batch_of(row)
            decision = replace(
                decision,
                batch=str(batch.directory),
                path=batch.path_of(number),
                model=batch.model,
                prediction=_prediction(batch, number),
                confidence=_figure(batch.confidence[number]),
            )
        decision.check()
        return decision

    def undo(self, reviewer: str, holder: str, decision_id: str) -> Undone | None:
        """Take back the last decision of a reviewer; None if there is none in force.

        Parameters
        ----------
        reviewer : str
        holder : str
            Who gets a claim to the image.
        decision_id : str
            The id of the undo; the same if it is sent again.
        """
        with self._locked() as (claims, standing):
            sent = standing.get(decision_id)
            last = standing.get(sent.undoes or "") if sent else standing.last_of(reviewer)
            if last is None:
                return None
            undo = Decision(decision_id, last.sha256, UNDO, reviewer, now(), undoes=last.id)
            undo.check()
            self._file.append([undo])
            claims.claim(last.sha256, holder)
        row = self._rows.find(last)
        return Undone(last, None if row is None else self._kept_item(row, last.sha256))

    def progress(self) -> Progress:
        """Return how far the review is."""
        with self._locked():
            return Progress(
                self._rows.decided,
                self._rows.reviewable,
                self._rows.uncertain,
                self._rows.sample_accuracy(),
            )

    def agreed_labels(self) -> dict[Path, AgreedLabels]:
        """Return what the decisions say of the predictions of each batch, by its directory."""
        with self._locked():
            return {
                batch.directory: self._rows.agreed_labels(index)
                for index, batch in enumerate(self._rows.batches)
            }

    def _choose(
        self, holder: str, reviewer: str, count: int, held: Collection[str], passed: Collection[int]
    ) -> dict[int, Group]:
        """Return the next rows that may be given to a reviewer, each with the reason why."""
        with self._locked() as (claims, standing):
            for sha256 in held:
                claims.claim(sha256, holder)

            def is_free(row: int) -> bool:
                sha256 = self._rows.digest_of(row)
                return row not in passed and (
                    sha256 is None
                    or (
                        sha256 not in held
                        and claims.is_free_for(sha256, holder)
                        and not standing.is_skipped(sha256, reviewer)
                    )
                )

            order = filter(is_free, self._rows.to_review(sample=False))
            sample = filter(is_free, self._rows.to_review(sample=True))
            chosen: dict[int, Group] = {}
            while len(chosen) < count:
                is_turn = (self._given + len(chosen)) % _SAMPLE_EVERY == _SAMPLE_EVERY - 1
                row = next(sample, None) if is_turn else None
                group: Group = "sample"
                if row is None:
                    row = next(order, None)
                    if row is None:
                        break
                    group = self._rows.group_of(row)
                chosen.setdefault(row, group)
            self._given += len(chosen)
            return chosen

    def _claim(self, row: int, sha256: str, holder: str, reviewer: str) -> bool:
        """Return whether an image is to be decided on and nobody else has it; then claim it."""
        with self._locked() as (claims, standing):
            self._rows.add_digest(row, sha256, standing)
            return (
                standing.verdict(sha256) is None
                and not standing.is_skipped(sha256, reviewer)
                and claims.claim(sha256, holder)
            )

    def _sheet(self, row: int) -> NDArray[np.uint8] | None:
        """Return the image of a row as decoded; None if it cannot be read."""
        batch, number = self._rows.batch_of(row)
        try:
            sheet = batch.sheet(number, self._load_network(batch.sha256))
        except InputError as error:
            self._leave_out(batch, str(error))
            return None
        if not isinstance(sheet, str):
            return sheet
        self._rows.add_unreadable(row)
        self._unreadable[batch.key] += 1
        if self._unreadable[batch.key] == _MAX_UNREADABLE:
            path = batch.path_of(number)
            self._leave_out(batch, f"{_MAX_UNREADABLE} images cannot be read; {path}: {sheet}.")
        return None

    def _kept_item(self, row: int, sha256: str) -> ReviewItem | None:
        """Return the image of an earlier decision; None if it cannot be read."""
        try:
            sheet = kept_images.load(self._directory, sha256)
        except DamagedDataError as error:
            _log.warning("%s", error)
            return None
        return self._item(row, self._rows.group_of(row), sha256, sheet)

    def _item(self, row: int, group: Group, sha256: str, sheet: NDArray[np.uint8]) -> ReviewItem:
        batch, number = self._rows.batch_of(row)
        seen, notes = batch.seen(number, sheet, self._load_network(batch.sha256))
        return ReviewItem(
            sha256=sha256,
            batch=batch.key,
            row=number,
            path=batch.path_of(number),
            group=group,
            prediction=_prediction(batch, number),
            confidence=_figure(batch.confidence[number]),
            novelty=_figure(batch.novelty[number]),
            notes=notes,
            model=batch.model,
            seen=seen.tobytes(),
        )

    def _leave_out(self, batch: ScoredBatch, problem: str) -> None:
        """Leave out a batch whose images cannot be read; the others are reviewed."""
        with self._lock:
            self._rows.leave_out(batch)
        self.problems.append(f"{batch.directory}: {problem}")
        _log.warning("%s: not reviewed: %s", batch.directory, problem)

    @contextmanager
    def _locked(self) -> Iterator[tuple[Claims, Standing]]:
        """Yield claims and decisions, as all processes have left them."""
        with self._lock, files.locked(self._directory):
            claims = Claims(self._directory)
            standing = self._update()
            for sha256 in claims.long_expired():
                if not standing.has_image(sha256):
                    kept_images.forget(self._directory, sha256)
            yield claims, standing
            self._update()
            claims.save()

    def _update(self) -> Standing:
        standing = self._file.refresh()
        if standing is not self._standing:
            # Another file has taken the place of the one that was read.
            self._rows = Rows(self._rows.batches)
            self._standing, self._updated = standing, 0
        self._rows.update(standing.decisions[self._updated :], standing)
        self._updated = len(standing.decisions)
        return standing


def _prediction(batch: ScoredBatch, number: int) -> int | None:
    prediction = int(batch.prediction[number])
    return None if prediction == NO_PREDICTION else prediction


def _figure(value: np.float32) -> float | None:
    return None if np.isnan(value) else float(value)
