"""What a run came to, as Markdown for Prefect's artifacts."""

from collections.abc import Iterable, Sequence

from pipeline.ingestion import DataReference
from pipeline.retraining import Retraining
from pipeline.scoring import Scoring
from pipeline.tally import DIGITS


def ingestion_markdown(data: DataReference) -> str:
    """Return where the data is, and the digests that were verified."""
    rows = [(role, f"`{digest}`") for role, digest in data.inputs.items()]
    files = [f"- `{reference.path}`" for reference in (data.train, data.test)]
    return "\n".join(["# MNIST is verified", "", *files, "", *_table(("role", "SHA-256"), rows)])


def retraining_markdown(retraining: Retraining) -> str:
    """Return the outcome, the gate's checks, the figures and the parameters."""
    candidate, verdict = retraining.candidate, retraining.verdict
    version = retraining.version
    assert candidate is not None
    assert verdict is not None
    what = f"`{version.reference}`" if version else "the candidate"
    checks = [
        (check.name, f"{check.figure:.4f}", f"{check.threshold:.4f}", _verdict(check.passed))
        for check in verdict.checks
    ]
    metrics = [
        (name, f"{value:.4f}") for name, value in {**candidate.metrics, **verdict.metrics}.items()
    ]
    params = [(name, f"`{value}`") for name, value in candidate.params.items()]
    return "\n".join(
        [
            f"# Retraining: {what} {retraining.outcome}",
            "",
            f"Weights: SHA-256 `{candidate.sha256}`. Record: `{retraining.record}`.",
            "",
            "## The gate",
            *_table(("check", "figure", "threshold", "verdict"), checks),
            "",
            "## Figures",
            *_table(("metric", "value"), metrics),
            "",
            "## Parameters",
            *_table(("parameter", "value"), params),
        ]
    )


def scoring_markdown(scoring: Scoring) -> str:
    """Return the counts by digit and by error."""
    tally = scoring.tally
    digits = [
        (digit, f"{count:,}", f"{total / count:.3f}" if count else "")
        for digit, (count, total) in enumerate(zip(tally.digits, tally.confidence, strict=True))
    ]
    lines = [
        f"# Scored {tally.files:,} files with `{scoring.version.reference}`",
        "",
        f"Predictions: `{scoring.path}`. Weights: SHA-256 `{scoring.version.sha256}`.",
        "",
        *_table(("digit", "images", "mean confidence"), digits),
    ]
    if tally.accuracy is not None:
        lines += ["", f"Accuracy on {tally.labelled:,} labelled images: {tally.accuracy:.4f}.", ""]
        rows = [(label, *row) for label, row in enumerate(tally.confusion)]
        lines += _table(("label", *map(str, range(DIGITS))), rows)
    if tally.errors:
        errors = [(reason, f"{count:,}") for reason, count in sorted(tally.errors.items())]
        lines += ["", "## Not scored", *_table(("reason", "files"), errors)]
    return "\n".join(lines)


def _verdict(passed: bool) -> str:  # noqa: FBT001
    return "passed" if passed else "**failed**"


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    return [
        "| " + " | ".join(header) + " |",
        "|" + " --- |" * len(header),
        *("| " + " | ".join(map(str, row)) + " |" for row in rows),
    ]
