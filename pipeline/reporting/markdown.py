"""The outcome of a job as Markdown, for Prefect's artifacts."""

from collections.abc import Iterable, Sequence

from pipeline.data.preparation import DataReference
from pipeline.reporting.pictures import (
    confidence_picture,
    confusion_picture,
    data_uri,
    low_confidence_picture,
    of_retraining,
)
from pipeline.scoring.outcome import Scoring
from pipeline.training.outcome import Registered, Trained


def ingestion_markdown(data: DataReference) -> str:
    """Return where the data is, and the digests that were verified."""
    rows = [(role, f"`{digest}`") for role, digest in data.inputs.items()]
    files = [f"- `{reference.path}`" for reference in (data.train, data.test)]
    return "\n".join(["# MNIST is verified", "", *files, "", *_table(("role", "SHA-256"), rows)])


def retraining_markdown(outcome: Trained) -> str:
    """Return the outcome, the gate's checks, the pictures, the metrics and the parameters."""
    candidate, verdict = outcome.candidate, outcome.verdict
    version = outcome.version if isinstance(outcome, Registered) else None
    subject = f"`{version.reference}`" if version else "the candidate"
    checks = [
        (check.name, f"{check.figure:.4f}", f"{check.threshold:.4f}", _verdict(check.passed))
        for check in verdict.checks
    ]
    lines = [
        f"# Retraining: {subject} {outcome.outcome}",
        "",
        f"Weights: SHA-256 `{candidate.sha256}`. Record and report: `{outcome.directory}`.",
    ]
    if version:
        lines += ["", f"More about the version: `digits show {version.reference}`."]
    lines += ["", "## The gate", *_table(("check", "figure", "threshold", "verdict"), checks)]
    pictures = of_retraining(candidate.history, verdict.validation.candidate)
    for title, uri in pictures.items():
        lines += ["", f"## {title}", _picture(title, uri)]
    metrics = [
        (name, f"{value:.4f}") for name, value in {**candidate.metrics, **verdict.metrics}.items()
    ]
    params = [(name, f"`{value}`") for name, value in candidate.params.items()]
    lines += ["", "## Metrics", *_table(("metric", "value"), metrics)]
    lines += ["", "## Parameters", *_table(("parameter", "value"), params)]
    return "\n".join(lines)


def scoring_markdown(scoring: Scoring) -> str:
    """Return the counts by digit, by confidence and by error, and the rate."""
    counts = scoring.counts
    digits = [
        (digit, f"{count:,}", f"{total / count:.3f}" if count else "")
        for digit, (count, total) in enumerate(zip(counts.digits, counts.confidence, strict=True))
    ]
    done = counts.files - scoring.resumed
    lines = [
        f"# Scored {counts.files:,} files with `{scoring.version.reference}`",
        "",
        f"{done:,} in {scoring.seconds:.1f} s, {done / scoring.seconds:,.0f} a second"
        + (f"; {scoring.resumed:,} more were scored before." if scoring.resumed else "."),
        "",
        f"Predictions: `{scoring.path}`. Weights: SHA-256 `{scoring.version.sha256}`.",
        "",
        *_table(("digit", "images", "mean confidence"), digits),
        "",
        "## Confidence",
        _picture("Images by confidence", data_uri(confidence_picture(counts.histogram.tolist()))),
    ]
    if counts.accuracy is not None:
        matrix = data_uri(confusion_picture(counts.confusion.tolist()))
        lines += [
            "",
            f"## Accuracy on {counts.labelled:,} labelled images: {counts.accuracy:.4f}",
            _picture("Confusion matrix", matrix),
        ]
    if scoring.least_certain:
        sheet = data_uri(low_confidence_picture(scoring.least_certain))
        lines += ["", "## The least certain", _picture("The least certain images", sheet)]
    if scoring.drift:
        drifts = [
            (one.what, f"{one.index:.3f}", f"{one.limit:.3f}", "**far**" if one.is_far else "near")
            for one in scoring.drift
        ]
        lines += ["", f"## Drift since `{scoring.version.reference}` was measured"]
        lines += _table(("what", "population stability index", "limit", ""), drifts)
    if counts.errors:
        errors = [(reason, f"{count:,}") for reason, count in sorted(counts.errors.items())]
        lines += ["", "## Not scored", *_table(("reason", "files"), errors)]
    return "\n".join(lines)


def _picture(title: str, uri: str) -> str:
    return f"![{title}]({uri})"


def _verdict(passed: bool) -> str:  # noqa: FBT001
    return "passed" if passed else "**failed**"


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    return [
        "| " + " | ".join(header) + " |",
        "|" + " --- |" * len(header),
        *("| " + " | ".join(map(_cell, row)) + " |" for row in rows),
    ]


def _cell(value: object) -> str:
    # What would end the cell, or the row.
    return " ".join(str(value).replace("|", "\\|").split())
