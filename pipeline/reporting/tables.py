"""The outcomes of the jobs, as Rich tables."""

import math
from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.gate.judging import Verdict
from pipeline.metrics.counts import DIGITS
from pipeline.metrics.evaluation import Evaluation
from pipeline.metrics.novelty import NOVEL
from pipeline.reporting.rows import (
    check_rows,
    digit_rows,
    error_rows,
    metric_rows,
    own_images_line,
    rate_line,
)
from pipeline.reporting.run_files import REPORT
from pipeline.reporting.text import Card, Lines, plain, sparkline
from pipeline.scoring.numbers import NUMBERS
from pipeline.scoring.outcome import Scoring
from pipeline.scoring.review_files import FAILED
from pipeline.scoring.shadow import ShadowScoring
from pipeline.summaries import counted
from pipeline.training.outcome import Registered, Reproduction, Retraining, Trained, Unchanged

# Maximum number of mistakes in the table; the HTML report has more.
_MAX_MISTAKES = 5

# Maximum number of images without a prediction; failed.csv has all of them.
_MAX_FAILED = 5

# Maximum number of bars in a curve; beside its name and figures it fits into 80 columns.
_MAX_BARS = 30


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
        _files(outcome),
        _confusion(validation.confusion),
    ]
    if validation.mistakes:
        parts.append(_mistakes(validation))
    return Group(*parts)


def _unchanged(outcome: Unchanged) -> RenderableType:
    table = Card(outcome.message, style="bold green")
    table.add_row("why", plain(outcome.reason))
    _add_own_images(table, outcome)
    table.add_row("sha256", outcome.version.sha256)
    return table


def _add_own_images(table: Card, outcome: Retraining) -> None:
    if outcome.labelled:
        table.add_row("own images", plain(own_images_line(outcome.labelled)))


def _metrics(outcome: Trained) -> Card:
    candidate = outcome.candidate
    table = Card("metrics")
    _add_own_images(table, outcome)
    for row in metric_rows(outcome):
        table.add_row(*row)
    losses = [epoch.loss for epoch in candidate.history]
    table.add_row("loss by epoch", _curve(losses, "{:.4f}"))
    errors = [
        100 * (1 - epoch.validation_accuracy)
        for epoch in candidate.history
        if epoch.validation_accuracy is not None
    ]
    table.add_row("validation error", _curve(errors, "{:.2f} %"))
    return table


def _files(outcome: Trained) -> Card:
    """Return where the weights and the report are."""
    table = Card("files")
    if isinstance(outcome, Registered):
        table.add_row("aliases", ", ".join(outcome.version.aliases) or "none")
    table.add_row("sha256", outcome.candidate.sha256)
    table.add_row("report", str(outcome.directory / REPORT))
    return table


def reproduction_card(reproduction: Reproduction) -> RenderableType:
    """Return whether a reproduction has the same weights; if not, what differs."""
    version, candidate = reproduction.version, reproduction.candidate
    if reproduction.is_identical:
        table = Card(f"{version.reference}: bit-identical", style="bold green")
    else:
        table = Card(f"{version.reference}: different weights", style="bold red")
        table.add_row("registered", version.sha256)
    table.add_row("sha256", candidate.sha256)
    for name, (then, now) in reproduction.environment.items():
        table.add_row(name, Text(f"{plain(then or 'not recorded')}, now {plain(now or 'none')}"))
    for layer in reproduction.layers:
        distance = (
            "different shapes" if layer.distance is None else f"{layer.distance:.2e} of its norm"
        )
        table.add_row(layer.layer, f"differs by {distance}")
    for name, figure in candidate.metrics.items():
        before = version.metrics.get(name)
        if name != "training_seconds" and before not in {None, figure}:
            table.add_row(name, f"{figure:.6f}, was {before:.6f}")
    return table


def scoring_table(scoring: Scoring) -> RenderableType:
    """Return the counts of a scoring by digit, the rate, and what was not scored."""
    counts = scoring.counts
    table = Table(title=f"Scored with {scoring.version.reference}", title_justify="left", box=None)
    for heading in ("digit", "images", "mean confidence"):
        table.add_column(heading, justify="right")
    for row in digit_rows(counts):
        table.add_row(*row)
    parts: list[RenderableType] = [table]
    if counts.labelled:
        parts.append(_confusion(counts.confusion.tolist()))
    parts.append(Lines(_scoring_lines(scoring)))
    return Group(*parts)


def _scoring_lines(scoring: Scoring) -> list[str]:
    counts = scoring.counts
    lines = [rate_line(scoring)]
    if counts.accuracy is not None:
        labels = ", ".join(scoring.label_sources) or "in the data"
        lines.append(
            f"{counts.correct:,} of {counted(counts.labelled, 'labelled image')} correct: "
            f"accuracy {counts.accuracy:.4f} (labels: {labels})"
        )
    lines += [f"{count} not scored: {reason}" for reason, count in error_rows(counts)]
    lines += _failed_lines(scoring)
    if scoring.left_out:
        kinds = ", ".join(f"{count:,} {kind}" for kind, count in scoring.left_out.items())
        lines.append(f"not taken for images: {kinds}")
    if counts.novel:
        verb = "does" if counts.novel == 1 else "do"
        lines.append(
            f"{counts.novel:,} {verb} not look like one digit: novelty below {NOVEL} (see --reject)"
        )
    lines.append(f"confidence, 0 to 1: {sparkline(counts.histogram.tolist())}")
    if scoring.drift:
        figures = ", ".join(
            f"{drift.what} {drift.index:.2f}"
            + (f" (above the limit, {drift.limit:.2f})" if drift.is_far else "")
            for drift in scoring.drift
        )
        lines.append(f"drift (0 is none): {figures}")
    if scoring.shadow is not None:
        lines.append(_shadow_line(scoring.shadow))
    if scoring.review:
        lines.append(f"{scoring.review:,} to review: {scoring.review_path}")
    numbers = scoring.path.parent / NUMBERS
    if numbers.exists():
        lines.append(f"Numbers: {numbers}")
    lines.append(f"Predictions: {', '.join(map(str, (scoring.path, *scoring.tables)))}")
    return lines


def _shadow_line(shadow: ShadowScoring) -> str:
    figures = shadow.comparison
    line = (
        f"{shadow.version.reference} predicts {figures.disagreements:,} of {figures.compared:,} "
        f"differently: {shadow.path}"
    )
    if figures.only_scorer_right + figures.only_shadow_right:
        line += (
            f"; of those with a label it alone is right on {figures.only_shadow_right:,}, and "
            f"wrong on {figures.only_scorer_right:,} (McNemar p {figures.p_value:.4f})"
        )
    return line


def _failed_lines(scoring: Scoring) -> list[str]:
    """Name the first images without a prediction, and the file that names all of them."""
    failed = scoring.counts.errors.total()
    if not failed:
        return []
    lines = [f"  {plain(path)}: {error}" for path, error in scoring.failed[:_MAX_FAILED]]
    every = "all" if failed > len(lines) else "also"
    return [*lines, f"  {every} in {scoring.path.parent / FAILED}"]


def _gate(verdict: Verdict) -> Table:
    table = Table(box=None)
    table.add_column("gate", style="dim")
    for heading in ("figure", "must be"):
        table.add_column(heading, justify="right")
    table.add_column("verdict")
    for row in check_rows(verdict):
        style = "green" if row.passed else "bold red"
        table.add_row(plain(row.name), row.figure, row.threshold, Text(row.verdict, style=style))
    return table


def _curve(figures: Sequence[float], form: str) -> str:
    """Return the first figure, a bar for the logarithm of each, and the last figure."""
    # 0 has no logarithm, so it is drawn as half of the smallest other figure.
    least = min((figure for figure in figures if figure > 0), default=1.0) / 2
    logarithms = [math.log(max(figure, least)) for figure in figures]
    every = -(-len(figures) // _MAX_BARS)
    bars = sparkline(logarithms[::-every][::-1], min(logarithms))
    return f"{form.format(figures[0])} {bars} {form.format(figures[-1])}"


def _mistakes(evaluation: Evaluation) -> Table:
    shown = evaluation.mistakes[:_MAX_MISTAKES]
    title = f"worst mistakes, {len(shown)} of {evaluation.wrong:,}"
    table = Table(title=title, title_justify="left", box=None)
    for heading in ("label", "prediction", "confidence"):
        table.add_column(heading, justify="right")
    table.add_column("image", overflow="fold")
    for mistake in shown:
        digits = (str(mistake.label), str(mistake.prediction))
        table.add_row(*digits, f"{mistake.confidence:.4f}", Text(plain(mistake.location)))
    return table


def _confusion(confusion: Sequence[Sequence[int]]) -> Table:
    """Return the confusion matrix; correct predictions are bold."""
    table = Table(
        title="confusion matrix, labels in rows",
        title_justify="left",
        box=None,
    )
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
