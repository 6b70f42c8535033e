"""The outcome of a job as Markdown, for Prefect's artifacts."""

from collections.abc import Iterable, Sequence

from pipeline.data.preparation import DataReference
from pipeline.reporting.pictures import (
    confidence_picture,
    confusion_picture,
    data_uri,
    low_confidence_picture,
    retraining_pictures,
)
from pipeline.reporting.rows import check_rows, digit_rows, error_rows, metric_rows, rate_line
from pipeline.scoring.outcome import Scoring
from pipeline.summaries import counted
from pipeline.training.outcome import Registered, Trained


def ingestion_markdown(data: DataReference) -> str:
    """Return the files of the data, and the digests that were verified."""
    rows = [(role, f"`{digest}`") for role, digest in data.inputs.items()]
    files = [f"- `{reference.path}`" for reference in (data.train, data.test)]
    return "\n".join(["# MNIST is verified", "", *files, "", *_table(("role", "SHA-256"), rows)])


def retraining_markdown(outcome: Trained) -> str:
    """Return the outcome, the gate's checks, the pictures, the metrics and the parameters."""
    candidate, verdict = outcome.candidate, outcome.verdict
    version = outcome.version if isinstance(outcome, Registered) else None
    subject = f"`{version.reference}`" if version else "the candidate"
    checks = [
        (row.name, row.figure, row.threshold, row.verdict if row.passed else f"**{row.verdict}**")
        for row in check_rows(verdict)
    ]
    lines = [
        f"# Retraining: {subject} {outcome.outcome}",
        "",
        f"Weights: SHA-256 `{candidate.sha256}`. Record and report: `{outcome.directory}`.",
    ]
    if version:
        lines += ["", f"More about the version: `digits show {version.reference}`."]
    lines += ["", "## The gate", *_table(("check", "figure", "must be", "verdict"), checks)]
    pictures = retraining_pictures(candidate.history, verdict.validation.candidate)
    for title, uri in pictures.items():
        lines += ["", f"## {title}", _picture(title, uri)]
    params = [(name, f"`{value}`") for name, value in candidate.params.items()]
    lines += ["", "## Metrics", *_table(("metric", "value"), metric_rows(outcome))]
    lines += ["", "## Parameters", *_table(("parameter", "value"), params)]
    return "\n".join(lines)


def scoring_markdown(scoring: Scoring, *, pictures: bool = True) -> str:
    """Return the counts by digit, by confidence and by error, and the rate."""
    counts = scoring.counts
    lines = [
        f"# Scored {counted(counts.files, 'file')} with `{scoring.version.reference}`",
        "",
        f"{rate_line(scoring)}.",
        "",
        f"Predictions: `{scoring.path}`. Weights: SHA-256 `{scoring.version.sha256}`.",
        "",
        *_table(("digit", "images", "mean confidence"), digit_rows(counts)),
    ]
    if pictures:
        lines += _scoring_pictures(scoring)
    if scoring.drift:
        lines += ["", f"## Drift from the evaluation of `{scoring.version.reference}`"]
        lines += _drift_table(scoring)
    if counts.errors:
        lines += ["", "## Not scored", *_table(("reason", "files"), error_rows(counts))]
    return "\n".join(lines)


def _scoring_pictures(scoring: Scoring) -> list[str]:
    """Return the pictures of a scoring under their headings."""
    counts = scoring.counts
    confidence = data_uri(confidence_picture(counts.histogram.tolist()))
    lines = ["", "## Confidence", _picture("Images by confidence", confidence)]
    if counts.accuracy is not None:
        matrix = data_uri(confusion_picture(counts.confusion.tolist()))
        lines += [
            "",
            f"## Accuracy on {counts.labelled:,} labelled images: {counts.accuracy:.4f}",
            _picture("Confusion matrix", matrix),
        ]
    if scoring.least_certain:
        sheet = data_uri(low_confidence_picture(scoring.least_certain))
        lines += ["", "## Lowest confidence", _picture("Images with the lowest confidence", sheet)]
    return lines


def _drift_table(scoring: Scoring) -> list[str]:
    rows = [
        (
            *(drift.what, f"{drift.index:.3f}", f"{drift.limit:.3f}"),
            "**above the limit**" if drift.is_far else "within the limit",
        )
        for drift in scoring.drift
    ]
    return _table(("what", "population stability index", "limit", "verdict"), rows)


def _picture(title: str, uri: str) -> str:
    return f"![{title}]({uri})"


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    return [
        "| " + " | ".join(header) + " |",
        "|" + " --- |" * len(header),
        *("| " + " | ".join(map(_cell, row)) + " |" for row in rows),
    ]


def _cell(value: object) -> str:
    # A bar would end the cell, a line break the row.
    return " ".join(str(value).replace("|", "\\|").split())
