"""The rows of several batches: in which order they are reviewed, and what was decided on each."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.metrics.counts import BINS
from pipeline.metrics.novelty import NOVEL
from pipeline.review.accuracy import SampleAccuracy
from pipeline.review.decisions import NO_DIGIT, Decision, Standing
from pipeline.review.scored_batch import NO_PREDICTION, ScoredBatch
from registry import AgreedLabels

Group = Literal["uncertain", "disagreement", "novel", "other", "sample"]

GROUPS: tuple[Group, ...] = ("uncertain", "disagreement", "novel", "other", "sample")
"""Why an image is given to a reviewer, in the order in which they come."""

UNCERTAIN = 0.9
"""Predictions with less confidence come first."""

_OPEN, _NO_DIGIT, _SKIPPED, _UNREADABLE = -1, 10, 11, 12


class Rows:
    """The rows of some batches, numbered through all of them."""

    def __init__(self, batches: Sequence[ScoredBatch]) -> None:
        self.batches = tuple(batches)
        self._starts = np.cumsum([0, *map(len, batches)])
        self._prediction = _joined([batch.prediction for batch in batches])
        self._confidence = _joined([batch.confidence for batch in batches])
        novelty = _joined([batch.novelty for batch in batches])
        has_prediction = self._prediction != NO_PREDICTION
        is_novel = novelty < NOVEL
        disagrees = _joined([batch.disagrees for batch in batches]).astype(bool)
        self._group = np.select(
            [self._confidence < UNCERTAIN, disagrees, is_novel],
            [GROUPS.index("uncertain"), GROUPS.index("disagreement"), GROUPS.index("novel")],
            GROUPS.index("other"),
        )
        key = np.where(self._group == GROUPS.index("novel"), novelty, self._confidence)
        in_order = np.lexsort((key, self._group))
        self._order = in_order[(has_prediction | is_novel)[in_order]]
        by_draw = np.argsort(_joined([batch.draw for batch in batches]))
        self._sample = by_draw[has_prediction[by_draw]]
        self._label = np.full(len(self._prediction), _OPEN, np.int8)
        self._digests: dict[int, str] = {}
        self._rows_of_image: defaultdict[str, set[int]] = defaultdict(set)

    def batch_of(self, row: int) -> tuple[ScoredBatch, int]:
        """Return the batch of a row, and its number there."""
        index = int(np.searchsorted(self._starts, row, side="right")) - 1
        return self.batches[index], row - int(self._starts[index])

    def row_of(self, key: str, number: int) -> int | None:
        """Return the row with a number in the batch with this key."""
        for start, batch in zip(self._starts.tolist(), self.batches, strict=False):
            if batch.key == key and 0 <= number < len(batch):
                return int(start) + number
        return None

    def find(self, decision: Decision) -> int | None:
        """Return the row that a decision is about."""
        for start, batch in zip(self._starts.tolist(), self.batches, strict=False):
            if str(batch.directory) == decision.batch:
                number = batch.rows_of([decision.path]).get(decision.path)
                return None if number is None else int(start) + number
        return None

    def group_of(self, row: int) -> Group:
        """Return why a row is to be reviewed."""
        return GROUPS[int(self._group[row])]

    def digest_of(self, row: int) -> str | None:
        """Return the SHA-256 of the image of a row, if it is known."""
        return self._digests.get(row)

    def add_digest(self, row: int, sha256: str, standing: Standing) -> None:
        """Take into account which image a row has; several rows may have the same."""
        self._digests[row] = sha256
        self._rows_of_image[sha256].add(row)
        self._label[row] = _label(standing, sha256)

    def add_unreadable(self, row: int) -> None:
        """Leave out a row whose image cannot be read any more."""
        self._label[row] = _UNREADABLE

    def leave_out(self, batch: ScoredBatch) -> None:
        """Leave out the rows of a batch that are not decided on."""
        index = self.batches.index(batch)
        labels = self._label[self._starts[index] : self._starts[index + 1]]
        labels[labels == _OPEN] = _UNREADABLE

    def update(self, decisions: Iterable[Decision], standing: Standing) -> None:
        """Take decisions into account that are in `standing` already."""
        paths: defaultdict[str, dict[str, str]] = defaultdict(dict)
        for decision in decisions:
            if decision.path:
                paths[decision.batch][decision.path] = decision.sha256
            for row in self._rows_of_image.get(decision.sha256, ()):
                self._label[row] = _label(standing, decision.sha256)
        for start, batch in zip(self._starts.tolist(), self.batches, strict=False):
            if digests := paths.get(str(batch.directory)):
                for path, number in batch.rows_of(digests).items():
                    self.add_digest(int(start) + number, digests[path], standing)

    def to_review(self, *, sample: bool) -> Iterator[int]:
        """Yield the rows that are not decided on, or were skipped by somebody, in their order."""
        order = self._sample if sample else self._order
        is_open = np.isin(self._label[order], (_OPEN, _SKIPPED))
        yield from order[is_open].tolist()

    @property
    def reviewable(self) -> int:
        """Number of rows that can be decided on."""
        return len(self._order)

    @property
    def decided(self) -> int:
        """Number of rows that are decided on."""
        return int(np.count_nonzero(self._is_decided(self._order)))

    @property
    def uncertain(self) -> int:
        """Number of uncertain predictions that are not decided on."""
        is_open = ~self._is_decided(np.arange(len(self._label)))
        return int(np.count_nonzero(is_open & (self._group == GROUPS.index("uncertain"))))

    def sample_accuracy(self) -> SampleAccuracy:
        """Return the accuracy of the predictions, estimated from the sample.

        Only the first images of the sample count, up to the first that is not decided on. The
        others may have been decided on because they are uncertain, and such are wrong more often.
        """
        labels = self._label[self._sample]
        is_open = labels == _OPEN
        count = int(is_open.argmax()) if is_open.any() else len(labels)
        counted = self._sample[:count][self._is_decided(self._sample[:count])]
        return SampleAccuracy(
            right=int(np.count_nonzero(self._label[counted] == self._prediction[counted])),
            decided=len(counted),
            skipped=count - len(counted),
        )

    def agreed_labels(self, index: int) -> AgreedLabels:
        """Return the decisions about predictions of a batch, counted by bin of confidence.

        Parameters
        ----------
        index : int
            Of the batch.
        """
        rows = np.arange(self._starts[index], self._starts[index + 1])
        rows = rows[self._is_decided(rows) & (self._prediction[rows] != NO_PREDICTION)]
        confidence = self._confidence[rows]
        bins = np.minimum((confidence * BINS).astype(np.intp), BINS - 1)
        is_right = self._label[rows] == self._prediction[rows]
        return AgreedLabels(
            labelled=tuple(np.bincount(bins, minlength=BINS).tolist()),
            correct=tuple(np.bincount(bins[is_right], minlength=BINS).tolist()),
            confidence=tuple(np.bincount(bins, confidence, minlength=BINS).tolist()),
        )

    def _is_decided(self, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        labels = self._label[rows]
        is_decided: NDArray[np.bool_] = (labels > _OPEN) & (labels <= _NO_DIGIT)
        return is_decided


def _label(standing: Standing, sha256: str) -> int:
    verdict = standing.verdict(sha256)
    if verdict is None:
        return _SKIPPED if standing.is_skipped(sha256) else _OPEN
    return _NO_DIGIT if verdict.decision == NO_DIGIT else int(verdict.decision)


def _joined(arrays: Sequence[NDArray[Any]]) -> NDArray[Any]:
    return np.concatenate(arrays) if arrays else np.zeros(0)
