"""Drift: how far what is scored is from what a version was measured on when it was trained.

The population stability index of a batch against a profile, over the bins of a histogram, is
``sum((p - q) * ln(p / q))``, where p and q are the shares of a bin in the two. By custom 0.1 is
little, and more than 0.25 is another population. In small batches chance alone gives more than
that: without drift the index is nearly ``(1/n + 1/m)`` times a chi-squared variable of one degree
of freedom fewer than there are bins (Yurdakul 2018, "Statistical properties of population
stability index"), so that the limit is its 99.9th percentile where that is more than 0.25.
"""

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.metrics.counts import BINS, PredictionCounts
from pipeline.metrics.significance import chi_squared_percentile

_FAR = 0.25

# The limit's percentile: one batch in a thousand exceeds it by chance.
_PERCENTILE = 0.999

# Confidence crowds at its upper end; its histogram is cut there, in bins of the counts.
_CONFIDENCE_CUTS = (0, 10, 14, 16, 18, 19, BINS)

PROFILE = "profile"
"""The tag of a version that holds the profile of the images it was measured on."""

Profile = Mapping[str, Sequence[int]]
"""Counts by bin of predictions, confidence, and ink."""


@dataclass(frozen=True, slots=True)
class Drift:
    """How one figure of a batch compares with the profile."""

    what: str
    """``predictions``, ``confidence`` or ``ink``."""
    index: float
    """The population stability index."""
    limit: float
    """Up to which it may be chance, or is no matter."""

    @property
    def is_far(self) -> bool:
        """Whether a person should look into it."""
        return self.index > self.limit


def profile_of(counts: PredictionCounts) -> dict[str, list[int]]:
    """Return what is compared of some images."""
    histogram = counts.histogram.tolist()
    return {
        "predictions": counts.digits.tolist(),
        "confidence": [
            sum(histogram[low:high]) for low, high in itertools.pairwise(_CONFIDENCE_CUTS)
        ],
        "ink": counts.ink.tolist(),
    }


def as_text(profile: Profile) -> str:
    """Return a profile as a tag of a version holds it."""
    return json.dumps(profile, separators=(",", ":"))


def from_text(text: str) -> Profile | None:
    """Return the profile that gave a text; None where it is no profile."""
    try:
        found = json.loads(text)
        expected = profile_of(PredictionCounts())
        lengths = {name: len(counts) for name, counts in found.items()}
        valid = lengths == {name: len(counts) for name, counts in expected.items()} and all(
            isinstance(count, int) and count >= 0 for counts in found.values() for count in counts
        )
    except (ValueError, TypeError, AttributeError):
        return None
    return found if valid else None


def drift(batch: Profile, profile: Profile) -> list[Drift]:
    """Return how a batch compares with a profile, figure by figure; nothing of an empty one."""
    return [
        Drift(what, _index(counts, profile[what]), _limit(counts, profile[what]))
        for what, counts in batch.items()
        if sum(counts) and sum(profile[what])
    ]


def _index(batch: Sequence[int], profile: Sequence[int]) -> float:
    # Half an image more in every bin: there is no logarithm of nothing.
    p, q = (np.array(counts, np.float64) + 0.5 for counts in (batch, profile))
    p, q = p / p.sum(), q / q.sum()
    return float(((p - q) * np.log(p / q)).sum())


def _limit(batch: Sequence[int], profile: Sequence[int]) -> float:
    percentile = chi_squared_percentile(_PERCENTILE, len(batch) - 1)
    return max(_FAR, percentile * (1 / sum(batch) + 1 / sum(profile)))
