"""What the jobs came to, as Rich tables."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.retraining import Retraining
from pipeline.scoring import Scoring
from pipeline.terminal import card


def retraining_card(retraining: Retraining) -> RenderableType:
    """Return the outcome of a retraining, with its figures."""
    version = retraining.version
    title = f"{version.reference} {retraining.outcome}" if version else "Refused by the gate"
    table = card(title, style="bold green" if version else "bold red")
    for check in retraining.verdict.checks:
        table.add_row("gate", Text(str(check), style="green" if check.passed else "red"))
    for name, value in retraining.candidate.metrics.items():
        table.add_row(name, f"{value:.4f}")
    if version:
        table.add_row("aliases", ", ".join(version.aliases) or "none")
    table.add_row("sha256", retraining.candidate.sha256)
    table.add_row("record", str(retraining.record))
    return table


def scoring_table(scoring: Scoring) -> RenderableType:
    """Return the counts of a scoring, by digit, and what could not be scored."""
    table = Table(title=f"Scored with {scoring.version.reference}", title_justify="left", box=None)
    for heading in ("digit", "images", "mean confidence"):
        table.add_column(heading, justify="right")
    for digit, found in scoring.digits.items():
        confidence = f"{found.mean_confidence:.3f}" if found.count else ""
        table.add_row(str(digit), f"{found.count:,}", confidence)
    rate = scoring.files / scoring.seconds
    lines = [f"{scoring.files:,} files in {scoring.seconds:.1f} s ({rate:,.0f} a second)"]
    if scoring.accuracy is not None:
        lines.append(
            f"{scoring.correct:,} of {scoring.labelled:,} labelled images right: "
            f"accuracy {scoring.accuracy:.4f}"
        )
    lines += [f"{count:,} not scored: {reason}" for reason, count in sorted(scoring.errors.items())]
    lines.append(f"Predictions: {scoring.path}")
    return Group(table, Text("\n".join(lines)))
