"""What the jobs came to, as Rich tables."""

import math
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.gate.judging import Verdict
from pipeline.metrics.counts import DIGITS
from pipeline.metrics.evaluation import Evaluation
from pipeline.metrics.novelty import NOVEL
from pipeline.reporting.run_files import REPORT
from pipeline.reporting.text import card, plain, sparkline
from pipeline.scoring.outcome import REVIEW, Scoring
from pipeline.training.outcome import Registered, Reproduction, Retraining, Trained, Unchanged

# Of many mistakes; the page has more.
_MOST_MISTAKES = 5

# Bars in a curve.
_WIDEST = 60


def retraining_card(outcome: Retraining) -> RenderableType:
    """Return the outcome of a retraining: the gate, the metrics, and the worst mistakes."""
    if isinstance(outcome, Unchanged):
        return _unchanged(outcome)
    verdict, validation = outcome.verdict, outcome.verdict.validation.candidate
    if isinstance(outcome, Registered):
        title = Text(outcome.message, style="bold green")
    else:
        title = Text("Refused by the gate", style="bold red")
    parts: list[RenderableType] = [
        title,
        _gate(verdict),
        _metrics(outcome),
        _confusion(validation.confusion),
    ]
    if validation.mistakes:
        parts.append(_mistakes(validation))
    return Group(*parts)


def _unchanged(outcome: Unchanged) -> RenderableType:
    table = card(outcome.message, style="bold green")
    table.add_row("why", plain(outcome.reason))
    table.add_row("sha256", outcome.version.sha256)
    return table


def _metrics(outcome: Trained) -> Table:
    candidate = outcome.candidate
    table = card("metrics")
    for name, value in {**candidate.metrics, **outcome.verdict.metrics}.items():
        table.add_row(name, f"{value:.4f}")
    losses = [epoch.loss for epoch in candidate.history]
    table.add_row("loss by epoch", _curve(losses, "{:.4f}"))
    wrong = [
        100 * (1 - epoch.validation_accuracy)
        for epoch in candidate.history
        if epoch.validation_accuracy is not None
    ]
    table.add_row("wrong in validation", _curve(wrong, "{:.2f} %"))
    if isinstance(outcome, Registered):
        table.add_row("aliases", ", ".join(outcome.version.aliases) or "none")
    table.add_row("sha256", candidate.sha256)
    table.add_row("report", str(outcome.directory / REPORT))
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
    counts = scoring.counts
    table = Table(title=f"Scored with {scoring.version.reference}", title_justify="left", box=None)
    for heading in ("digit", "images", "mean confidence"):
        table.add_column(heading, justify="right")
    for digit, (count, total) in enumerate(zip(counts.digits, counts.confidence, strict=True)):
        table.add_row(str(digit), f"{count:,}", f"{total / count:.3f}" if count else "")
    parts: list[RenderableType] = [table]
    if counts.labelled:
        parts.append(_confusion(counts.confusion.tolist()))
    parts.append(Text("\n".join(_lines(scoring))))
    return Group(*parts)


def _lines(scoring: Scoring) -> list[str]:
    counts = scoring.counts
    done = counts.files - scoring.resumed
    rate = done / scoring.seconds
    resumed = f", {scoring.resumed:,} more were scored before" if scoring.resumed else ""
    lines = [f"{done:,} files in {scoring.seconds:.1f} s ({rate:,.0f} a second){resumed}"]
    if counts.accuracy is not None:
        lines.append(
            f"{counts.correct:,} of {counts.labelled:,} labelled images right: "
            f"accuracy {counts.accuracy:.4f}"
        )
    lines += [f"{count:,} not scored: {reason}" for reason, count in sorted(counts.errors.items())]
    if counts.novel:
        lines.append(f"{counts.novel:,} do not look like one digit: novelty below {NOVEL}")
    lines.append(f"confidence, 0 to 1: {sparkline(counts.histogram.tolist())}")
    if scoring.drift:
        figures = ", ".join(
            f"{one.what} {one.index:.2f}" + (" (far)" if one.is_far else "")
            for one in scoring.drift
        )
        lines.append(f"drift, population stability index: {figures}")
    if scoring.review:
        lines.append(f"{scoring.review:,} to look at: {scoring.path.parent / REVIEW}")
    lines.append(f"Predictions: {scoring.path}")
    return lines


def _gate(verdict: Verdict) -> Table:
    table = Table(box=None)
    table.add_column("gate", style="dim")
    for heading in ("figure", "threshold"):
        table.add_column(heading, justify="right")
    table.add_column("verdict")
    for check in verdict.checks:
        word, style = ("passed", "green") if check.passed else ("failed", "bold red")
        figures = (f"{check.figure:.4f}", f"{check.threshold:.4f}")
        table.add_row(plain(check.name), *figures, Text(word, style=style))
    return table


def _curve(figures: Sequence[float], form: str) -> str:
    """Return the first figure, a bar for each by its logarithm, and the last."""
    # None has a logarithm; it is drawn as less than all the others.
    least = min((figure for figure in figures if figure > 0), default=1.0) / 2
    logarithms = [math.log(max(figure, least)) for figure in figures]
    every = -(-len(figures) // _WIDEST)
    bars = sparkline(logarithms[::-every][::-1], min(logarithms))
    return f"{form.format(figures[0])} {bars} {form.format(figures[-1])}"


def _mistakes(evaluation: Evaluation) -> Table:
    shown = evaluation.mistakes[:_MOST_MISTAKES]
    title = f"worst mistakes, {len(shown)} of {evaluation.wrong:,}"
    table = Table(title=title, title_justify="left", box=None)
    for heading in ("label", "taken for", "confidence"):
        table.add_column(heading, justify="right")
    table.add_column("image", overflow="fold")
    for mistake in shown:
        digits = (str(mistake.label), str(mistake.prediction))
        table.add_row(*digits, f"{mistake.confidence:.4f}", Text(plain(mistake.location)))
    return table


def _confusion(confusion: Sequence[Sequence[int]]) -> Table:
    """Return what labels were taken for; right ones are bold."""
    table = Table(title="label, and what it was taken for", title_justify="left", box=None)
    table.add_column("", justify="right", style="dim")
    for digit in range(DIGITS):
        table.add_column(str(digit), justify="right")
    for label, row in enumerate(confusion):
        cells = [
            Text(f"{count:,}" if count else "·", style="bold" if label == digit else "")
            for digit, count in enumerate(row)
        ]
        table.add_row(str(label), *cells)
    return table
