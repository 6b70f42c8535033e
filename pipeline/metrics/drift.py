"""Drift: how much scored images differ from those that the gate measured a version on.

The population stability index of a batch against a profile, over the bins of a histogram, is
``sum((p - q) * ln(p / q))``, where p and q are the shares of a bin in the two. By convention 0.1
is little, and more than 0.25 means another population. Small batches exceed 0.25 by chance:
without drift the index is approximately ``(1/n + 1/m)`` times a chi-squared variable whose degrees
of freedom are the number of bins minus one (Yurdakul 2018, "Statistical properties of population
stability index"). The limit is 0.25 or the 99.9th percentile of that, whichever is larger.
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

# Edges of the bins of confidence, in bins of the counts. Most confidences are near 1, so the bins
# are narrower there.
_CONFIDENCE_CUTS = (0, 10, 14, 16, 18, 19, BINS)

PROFILE = "profile"
"""The tag of a version that holds the profile of the images that the gate measured it on."""

Profile = Mapping[str, Sequence[int]]
"""Counts by bin of predictions, confidence, and ink."""


@dataclass(frozen=True, slots=True)
class Drift:
    """The drift of one distribution of a batch from the profile."""

    what: str
    """``predictions``, ``confidence`` or ``ink``."""
    index: float
    """The population stability index."""
    limit: float
    """The largest index that may be chance, or is small."""

    @property
    def is_far(self) -> bool:
        """Whether the index is beyond its limit, so that a person should look into it."""
        return self.index > self.limit


def profile_of(counts: PredictionCounts) -> dict[str, list[int]]:
    """Return the profile of counted predictions."""
    histogram = counts.histogram.tolist()
    return {
        "predictions": counts.digits.tolist(),
        "confidence": [
            sum(histogram[low:high]) for low, high in itertools.pairwise(_CONFIDENCE_CUTS)
        ],
        "ink": counts.ink.tolist(),
    }


def as_text(profile: Profile) -> str:
    """Return a profile as the text of a tag."""
    return json.dumps(profile, separators=(",", ":"))


def from_text(text: str) -> Profile | None:
    """Return the profile in the text of a tag; None if it is not a profile."""
    try:
        profile = json.loads(text)
        expected = profile_of(PredictionCounts())
        lengths = {name: len(counts) for name, counts in profile.items()}
        valid = lengths == {name: len(counts) for name, counts in expected.items()} and all(
            isinstance(count, int) and count >= 0 for counts in profile.values() for count in counts
        )
    except (ValueError, TypeError, AttributeError):
        return None
    return profile if valid else None


def drift(batch: Profile, profile: Profile) -> list[Drift]:
    """Return the drift of each distribution of a batch; none of those that are empty."""
    return [
        Drift(what, _index(counts, profile[what]), _limit(counts, profile[what]))
        for what, counts in batch.items()
        if sum(counts) and sum(profile[what])
    ]


def _index(batch: Sequence[int], profile: Sequence[int]) -> float:
    # Half an image is added to every bin: the logarithm of an empty one would be infinite.
    p, q = (np.array(counts, np.float64) + 0.5 for counts in (batch, profile))
    p, q = p / p.sum(), q / q.sum()
    return float(((p - q) * np.log(p / q)).sum())


def _limit(batch: Sequence[int], profile: Sequence[int]) -> float:
    percentile = chi_squared_percentile(_PERCENTILE, len(batch) - 1)
    return max(_FAR, percentile * (1 / sum(batch) + 1 / sum(profile)))
