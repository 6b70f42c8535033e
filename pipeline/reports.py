"""What a run came to, as Markdown for Prefect's artifacts."""

from collections.abc import Iterable, Sequence

from pipeline.ingestion import DataReference
from pipeline.pictures import (
    confidence_picture,
    confusion_picture,
    data_uri,
    of_retraining,
    uncertain_picture,
)
from pipeline.retraining import Retraining
from pipeline.scoring import Scoring


def ingestion_markdown(data: DataReference) -> str:
    """Return where the data is, and the digests that were verified."""
    rows = [(role, f"`{digest}`") for role, digest in data.inputs.items()]
    files = [f"- `{reference.path}`" for reference in (data.train, data.test)]
    return "\n".join(["# MNIST is verified", "", *files, "", *_table(("role", "SHA-256"), rows)])


def retraining_markdown(retraining: Retraining) -> str:
    """Return the outcome, the gate's checks, the pictures, the figures and the parameters."""
    candidate, verdict = retraining.candidate, retraining.verdict
    assert candidate is not None
    assert verdict is not None
    version = retraining.version
    what = f"`{version.reference}`" if version else "the candidate"
    checks = [
        (check.name, f"{check.figure:.4f}", f"{check.threshold:.4f}", _verdict(check.passed))
        for check in verdict.checks
    ]
    lines = [
        f"# Retraining: {what} {retraining.outcome}",
        "",
        f"Weights: SHA-256 `{candidate.sha256}`. Record and report: `{retraining.directory}`.",
    ]
    if version:
        lines += ["", f"All about the version: `digits show {version.reference}`."]
    lines += ["", "## The gate", *_table(("check", "figure", "threshold", "verdict"), checks)]
    for title, uri in of_retraining(candidate.history, verdict.validation).items():
        lines += ["", f"## {title}", _picture(title, uri)]
    metrics = [
        (name, f"{value:.4f}") for name, value in {**candidate.metrics, **verdict.metrics}.items()
    ]
    params = [(name, f"`{value}`") for name, value in candidate.params.items()]
    lines += ["", "## Figures", *_table(("metric", "value"), metrics)]
    lines += ["", "## Parameters", *_table(("parameter", "value"), params)]
    return "\n".join(lines)


def scoring_markdown(scoring: Scoring) -> str:
    """Return the counts by digit, by confidence and by error, and the rate."""
    tally = scoring.tally
    digits = [
        (digit, f"{count:,}", f"{total / count:.3f}" if count else "")
        for digit, (count, total) in enumerate(zip(tally.digits, tally.confidence, strict=True))
    ]
    done = tally.files - scoring.resumed
    lines = [
        f"# Scored {tally.files:,} files with `{scoring.version.reference}`",
        "",
        f"{done:,} in {scoring.seconds:.1f} s, {done / scoring.seconds:,.0f} a second"
        + (f"; {scoring.resumed:,} more were scored before." if scoring.resumed else "."),
        "",
        f"Predictions: `{scoring.path}`. Weights: SHA-256 `{scoring.version.sha256}`.",
        "",
        *_table(("digit", "images", "mean confidence"), digits),
        "",
        "## Confidence",
        _picture("Images by confidence", data_uri(confidence_picture(tally.histogram.tolist()))),
    ]
    if tally.accuracy is not None:
        matrix = data_uri(confusion_picture(tally.confusion.tolist()))
        lines += [
            "",
            f"## Accuracy on {tally.labelled:,} labelled images: {tally.accuracy:.4f}",
            _picture("Confusion matrix", matrix),
        ]
    if scoring.uncertain:
        sheet = data_uri(uncertain_picture(scoring.uncertain))
        lines += ["", "## The least certain", _picture("The least certain images", sheet)]
    if scoring.drift:
        drifts = [
            (one.what, f"{one.index:.3f}", f"{one.limit:.3f}", "**far**" if one.is_far else "near")
            for one in scoring.drift
        ]
        lines += ["", f"## Drift since `{scoring.version.reference}` was measured"]
        lines += _table(("what", "population stability index", "limit", ""), drifts)
    if tally.errors:
        errors = [(reason, f"{count:,}") for reason, count in sorted(tally.errors.items())]
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
