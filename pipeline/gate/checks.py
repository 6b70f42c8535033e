"""Checks of the gate: a figure held against a threshold."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from registry import Check


@dataclass(frozen=True, slots=True)
class GateCheck:
    """One check, with the direction in which its figure is good."""

    name: str
    figure: float
    threshold: float
    direction: Literal["at least", "at most"]
    """On which side of the threshold the figure must be."""

    @property
    def margin(self) -> float:
        """How far the figure is on the good side of its threshold; negative if the check failed."""
        difference = self.figure - self.threshold
        return difference if self.direction == "at least" else -difference

    @property
    def passed(self) -> bool:
        """Whether the figure is on the good side. NaN is on neither."""
        return self.margin >= 0

    @property
    def record(self) -> Check:
        """The check as the registry records it."""
        return Check(self.name, self.figure, self.threshold, passed=self.passed)


def at_least(name: str, figure: float, threshold: float) -> GateCheck:
    """Return a check that the figure is not below its threshold."""
    return GateCheck(name, figure, threshold, "at least")


def at_most(name: str, figure: float, threshold: float) -> GateCheck:
    """Return a check that the figure is not above its threshold."""
    return GateCheck(name, figure, threshold, "at most")


def failed_or_closest(checks: Sequence[GateCheck]) -> list[GateCheck]:
    """Return the per-digit checks that failed, or the closest one if none failed."""
    failed = [check for check in checks if not check.passed]
    return failed or [min(checks, key=lambda check: check.margin)]
