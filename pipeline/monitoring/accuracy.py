"""Accuracy over time: estimates of batches, corrected by labels, and warnings of a change."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pipeline.metrics.estimation import interval
from registry import AgreedLabels, Batch, Estimate

# Labels of this number in a bin of confidence count as much as what the confidence promises.
_PRIOR_LABELS = 10

# The first batches of a version that later ones are compared with.
_REFERENCE = 10

# A change is as many standard deviations: by chance, 1 batch in 700 or fewer.
_DEVIATIONS = 3.2

# And at least this much: smaller ones need nobody.
_LEAST_CHANGE = 0.005

# Half of a 95 % interval, in standard deviations.
_HALF = 1.96


@dataclass(frozen=True, slots=True)
class Tracked:
    """The accuracy of a batch beside that of the version's first batches."""

    batch: Batch
    estimate: Estimate | None
    """Corrected by labels, if there are any; None if there is no prediction."""
    reference: float | None
    """Mean estimate of the first batches that the version scored; None for the first one."""
    has_changed: bool
    """Whether the estimate differs from the reference by more than chance."""


def corrected(batch: Batch) -> Estimate | None:
    """Return the estimated accuracy of a batch, corrected by the labels of some of its images.

    In each bin of confidence the labelled images tell how far confidence is off, and the others
    are taken to be off as much. Few labels are trusted less than many. So labels must be of images
    chosen by their confidence or by chance, and not because they looked wrong.
    """
    if batch.estimate is None or batch.labels is None or not sum(batch.labels.labelled):
        return batch.estimate
    labels = batch.labels
    others = [
        max(count - labelled, 0)
        for count, labelled in zip(batch.histogram, labels.labelled, strict=True)
    ]
    share = sum(others) / batch.predicted
    # What the confidence promises of the images without a label.
    promised = batch.estimate.accuracy * batch.predicted - sum(labels.confidence)
    right = promised + sum(labels.correct)
    right += sum(count * offset for count, offset in zip(others, _offsets(labels), strict=True))
    variance = (_deviation(batch.estimate) * batch.predicted) ** 2 * share + sum(
        count**2 * spread for count, spread in zip(others, _spreads(labels), strict=True)
    )
    return Estimate(*interval(right / batch.predicted, variance, batch.predicted))


def track(batches: Iterable[Batch]) -> list[Tracked]:
    """Return each batch with its estimate, and whether accuracy has changed.

    Parameters
    ----------
    batches : iterable of Batch
        In any order.

    Returns
    -------
    list of Tracked
        The newest batch first.
    """
    first: dict[str, list[tuple[Batch, Estimate]]] = defaultdict(list)
    tracked = []
    for batch in sorted(batches, key=lambda each: each.id):
        estimate = corrected(batch)
        reference = first[batch.sha256]
        has_changed = False
        mean = _mean(reference)
        if estimate is not None and mean is not None:
            has_changed = _is_far(estimate, mean, reference)
        tracked.append(Tracked(batch, estimate, mean, has_changed))
        if estimate is not None and not has_changed and len(reference) < _REFERENCE:
            reference.append((batch, estimate))
    return tracked[::-1]


def _mean(reference: Sequence[tuple[Batch, Estimate]]) -> float | None:
    images = sum(batch.predicted for batch, _ in reference)
    if not images:
        return None
    return sum(estimate.accuracy * batch.predicted for batch, estimate in reference) / images


def _is_far(estimate: Estimate, mean: float, reference: Sequence[tuple[Batch, Estimate]]) -> bool:
    images = sum(batch.predicted for batch, _ in reference)
    of_mean = sum((_deviation(each) * batch.predicted / images) ** 2 for batch, each in reference)
    limit = _DEVIATIONS * math.sqrt(_deviation(estimate) ** 2 + of_mean)
    return abs(estimate.accuracy - mean) > max(limit, _LEAST_CHANGE)


def _deviation(estimate: Estimate) -> float:
    """Return the standard deviation of an estimate; an end of its interval may be cut at 0 or 1."""
    half = max(estimate.accuracy - estimate.low, estimate.high - estimate.accuracy)
    return half / _HALF


def _offsets(labels: AgreedLabels) -> list[float]:
    """Return, for each bin, how much more often predictions are right than they promise."""
    bins = zip(labels.labelled, labels.correct, labels.confidence, strict=True)
    return [(right - promised) / (count + _PRIOR_LABELS) for count, right, promised in bins]


def _spreads(labels: AgreedLabels) -> list[float]:
    """Return the variance of each offset."""
    spreads = []
    for count, right in zip(labels.labelled, labels.correct, strict=True):
        rate = (right + 0.5) / (count + 1)
        spreads.append(count * rate * (1 - rate) / (count + _PRIOR_LABELS) ** 2)
    return spreads
