"""The gate: what a candidate must show before it becomes a version."""

from collections.abc import Mapping
from dataclasses import dataclass

from registry import Check


@dataclass(frozen=True, slots=True)
class Verdict:
    """The checks a candidate went through."""

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return all(check.passed for check in self.checks)

    @property
    def reason(self) -> str:
        """The figures of the checks that failed, or of all where none did."""
        failed = [check for check in self.checks if not check.passed]
        return "; ".join(map(str, failed or self.checks))


def judge(metrics: Mapping[str, float], min_accuracy: float) -> Verdict:
    """Hold a candidate's figures against the gate.

    Parameters
    ----------
    metrics : mapping of str to float
        Figures of the validation split; those of the test set are not looked at.
    min_accuracy : float
        A fraction in [0, 1].
    """
    accuracy = metrics["validation_accuracy"]
    check = Check("validation_accuracy", accuracy, min_accuracy, passed=accuracy >= min_accuracy)
    return Verdict((check,))
