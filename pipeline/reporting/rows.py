"""The rows that tables, Markdown and HTML share: figures, formatted once."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pipeline.data.labelled import Collection
from pipeline.gate.judging import Verdict
from pipeline.metrics.counts import PredictionCounts
from pipeline.scoring.outcome import Scoring
from pipeline.summaries import counted
from pipeline.training.outcome import Trained
from registry import Check

# A rate below this, in files a second, has a decimal place.
_FAST = 10


class CheckRow(NamedTuple):
    """A check of the gate."""

    name: str
    figure: str
    threshold: str
    passed: bool

    @property
    def verdict(self) -> str:
        """``passed`` or ``failed``."""
        return "passed" if self.passed else "failed"


def check_rows(verdict: Verdict) -> list[CheckRow]:
    """Return a row for each check of the gate."""
    return [
        CheckRow(check.name, check.texts[0], _required(check), check.passed)
        for check in verdict.checks
    ]


def _required(check: Check) -> str:
    """Return what a figure must be: ``≥ 0.9700``."""
    is_least = check.passed == (check.figure >= check.threshold)
    return f"{'≥' if is_least else '≤'} {check.texts[1]}"


def metric_rows(outcome: Trained) -> list[tuple[str, str]]:
    """Return name and value of each metric of the training and the gate."""
    metrics = {**outcome.candidate.metrics, **outcome.verdict.metrics}
    return [(name, f"{value:.4f}") for name, value in metrics.items()]


def own_images_line(collection: Collection) -> str:
    """Return how many of the user's own images are used, and why others are not."""
    line = f"{collection.training:,} trained on, {collection.held_out:,} held out"
    if collection.duplicates:
        line += f", {counted(collection.duplicates, 'duplicate file')}"
    reasons = ", ".join(f"{count:,} {reason}" for reason, count in collection.left_out.items())
    return f"{line}; left out: {reasons}" if reasons else line


def digit_rows(counts: PredictionCounts) -> list[tuple[str, str, str]]:
    """Return each digit with its number of predictions and their mean confidence."""
    return [
        (str(digit), f"{count:,}", f"{total / count:.3f}" if count else "")
        for digit, (count, total) in enumerate(zip(counts.digits, counts.confidence, strict=True))
    ]


def error_rows(counts: PredictionCounts) -> list[tuple[str, str]]:
    """Return each reason for a missing prediction with its number of files."""
    return [(reason, f"{count:,}") for reason, count in sorted(counts.errors.items())]


def rate_line(scoring: Scoring) -> str:
    """Return how many files were scored in this run, and how fast."""
    done = scoring.counts.files - scoring.resumed
    if not done and scoring.resumed:
        return f"{counted(scoring.resumed, 'file')}, all scored before"
    rate = done / scoring.seconds
    figure = f"{rate:,.0f}" if rate >= _FAST else f"{rate:.1f}"
    line = f"{counted(done, 'file')} in {scoring.seconds:.1f} s ({figure} a second)"
    return f"{line}, {scoring.resumed:,} scored before" if scoring.resumed else line


def flat_params(params: Mapping[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield parameters; a nested one is named ``outer.inner``."""
    for name, value in params.items():
        if isinstance(value, Mapping):
            yield from flat_params(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value
