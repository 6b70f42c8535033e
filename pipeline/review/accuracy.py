"""The accuracy of predictions, estimated from the decisions about a random sample of them."""

from dataclasses import dataclass

from pipeline.metrics.significance import proportion_lower_bound

CONFIDENCE = 0.95
"""Confidence of the interval."""


@dataclass(frozen=True, slots=True)
class SampleAccuracy:
    """The accuracy of some predictions, from a random sample of them."""

    right: int
    """Number of sampled predictions that reviewers agree with. An image that is no digit was
    predicted wrongly."""
    decided: int
    """Number of sampled predictions that were decided on."""
    skipped: int
    """Number of sampled images that were skipped or cannot be read any more; they do not count."""

    @property
    def accuracy(self) -> float | None:
        """The estimate, a fraction in [0, 1]; None if nothing was decided on."""
        return self.right / self.decided if self.decided else None

    @property
    def interval(self) -> tuple[float, float]:
        """The exact interval of Clopper and Pearson (Biometrika 26, 1934)."""
        each = (1 + CONFIDENCE) / 2
        wrong = self.decided - self.right
        if not self.decided:
            return 0.0, 1.0
        return (
            proportion_lower_bound(self.right, self.decided, confidence=each),
            1 - proportion_lower_bound(wrong, self.decided, confidence=each),
        )
