"""What the jobs came to, as Rich tables."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.retraining import Retraining
from pipeline.scoring import REVIEW, Scoring
from pipeline.tally import DIGITS, Tally
from pipeline.terminal import card, sparkline


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
    tally = scoring.tally
    table = Table(title=f"Scored with {scoring.version.reference}", title_justify="left", box=None)
    for heading in ("digit", "images", "mean confidence"):
        table.add_column(heading, justify="right")
    for digit, (count, total) in enumerate(zip(tally.digits, tally.confidence, strict=True)):
        table.add_row(str(digit), f"{count:,}", f"{total / count:.3f}" if count else "")
    parts: list[RenderableType] = [table]
    if tally.labelled:
        parts.append(_confusion(tally))
    parts.append(Text("\n".join(_lines(scoring))))
    return Group(*parts)


def _lines(scoring: Scoring) -> list[str]:
    tally = scoring.tally
    done = tally.files - scoring.resumed
    rate = done / scoring.seconds
    resumed = f", {scoring.resumed:,} more were scored before" if scoring.resumed else ""
    lines = [f"{done:,} files in {scoring.seconds:.1f} s ({rate:,.0f} a second){resumed}"]
    if tally.accuracy is not None:
        lines.append(
            f"{tally.correct:,} of {tally.labelled:,} labelled images right: "
            f"accuracy {tally.accuracy:.4f}"
        )
    lines += [f"{count:,} not scored: {reason}" for reason, count in sorted(tally.errors.items())]
    lines.append(f"confidence, 0 to 1: {sparkline(tally.histogram.tolist())}")
    if scoring.review:
        lines.append(f"{scoring.review:,} to look at: {scoring.path.parent / REVIEW}")
    lines.append(f"Predictions: {scoring.path}")
    return lines


def _confusion(tally: Tally) -> Table:
    """Return what labels were taken for; right ones are bold."""
    table = Table(title="label, and what it was taken for", title_justify="left", box=None)
    table.add_column("", justify="right", style="dim")
    for digit in range(DIGITS):
        table.add_column(str(digit), justify="right")
    for label, row in enumerate(tally.confusion):
        cells = [
            Text(f"{count:,}" if count else "·", style="bold" if label == digit else "")
            for digit, count in enumerate(row)
        ]
        table.add_row(str(label), *cells)
    return table
