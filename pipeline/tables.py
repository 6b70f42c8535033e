"""What the jobs came to, as Rich tables."""

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.reproduction import Reproduction
from pipeline.retraining import Retraining
from pipeline.scoring import REVIEW, Scoring
from pipeline.tally import DIGITS, Tally
from pipeline.terminal import card, plain, sparkline


def retraining_card(retraining: Retraining) -> RenderableType:
    """Return the outcome of a retraining, with its figures."""
    version, verdict, candidate = retraining.version, retraining.verdict, retraining.candidate
    title = f"{version.reference} {retraining.outcome}" if version else "Refused by the gate"
    table = card(title, style="bold green" if version else "bold red")
    if verdict is None or candidate is None:
        assert version is not None
        table.add_row("why", "the champion was made of the same inputs, configuration and code")
        table.add_row("sha256", version.sha256)
        return table
    for check in verdict.checks:
        table.add_row("gate", Text(str(check), style="green" if check.passed else "red"))
    for name, value in {**candidate.metrics, **verdict.metrics}.items():
        table.add_row(name, f"{value:.4f}")
    if version:
        table.add_row("aliases", ", ".join(version.aliases) or "none")
    table.add_row("sha256", candidate.sha256)
    table.add_row("record", str(retraining.record))
    return table


def reproduction_card(reproduction: Reproduction) -> RenderableType:
    """Return whether a version could be trained again to the same bits; what differs, if not."""
    version, candidate = reproduction.version, reproduction.candidate
    if reproduction.is_identical:
        table = card(f"{version.reference}: bit-identical", style="bold green")
    else:
        table = card(f"{version.reference}: not the same weights", style="bold red")
        table.add_row("registered", version.sha256)
    table.add_row("sha256", candidate.sha256)
    for name, (then, now) in reproduction.environment.items():
        table.add_row(name, Text(f"{plain(then or 'not recorded')}, now {plain(now or 'none')}"))
    for layer in reproduction.layers:
        distance = "other shapes" if layer.distance is None else f"{layer.distance:.2e} of its norm"
        table.add_row(layer.layer, f"differs by {distance}")
    for name, figure in candidate.metrics.items():
        before = version.metrics.get(name)
        if name != "training_seconds" and before not in {None, figure}:
            table.add_row(name, f"{figure:.6f}, was {before:.6f}")
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
