"""Status and scored batches as Rich tables."""

from collections.abc import Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.monitoring.accuracy import Tracked
from pipeline.monitoring.status import JobStatus, Status
from pipeline.reporting.text import Card, moment, plain, width
from pipeline.summaries import counted
from registry import Estimate, JobRun

# Columns from which all of a table fits.
_WIDE = 120


def status_tables(status: Status) -> RenderableType:
    """Return what an operator has to know, what needs a person first."""
    parts: list[RenderableType] = [
        Text(f"! {plain(problem)}", style="red") for problem in status.problems
    ] or [Text("Nothing needs a person.")]
    jobs = Table("job", box=None, pad_edge=False)
    for heading in ("last success", "last failure", "next run"):
        jobs.add_column(f"{heading} (UTC)" if width() >= _WIDE else heading, no_wrap=True)
    jobs.add_column("", overflow="fold")
    for job in status.jobs:
        jobs.add_row(
            job.job,
            _time(job.last_success),
            _time(job.last_failure),
            _moment(job.next_run),
            _remark(job),
        )
    parts += ["", jobs, "", _champion(status), f"Messages waiting: {len(status.waiting)}."]
    if status.last_batch is not None:
        parts.append(
            f"Last batch: {status.last_batch.id}, {moment(status.last_batch.at)} UTC; "
            f"drifted in the last day: {len(status.drifted)}."
        )
    return Group(*parts)


def batches_table(tracked: Sequence[Tracked]) -> RenderableType:
    """Return a row for each batch; on a narrow terminal, a few lines."""
    if not tracked:
        return Text("No batches yet. `digits score` makes the first.")
    batches = _table(tracked) if width() >= _WIDE else Group(*map(_card, tracked))
    return Group(batches, *map(_change, (each for each in tracked if each.has_changed)))


def _table(tracked: Sequence[Tracked]) -> Table:
    table = Table("batch", "scored (UTC)", "version", box=None, pad_edge=False)
    for heading in ("images", "without", "confidence", "accuracy, estimated", "labels"):
        table.add_column(heading, justify="right")
    table.add_column("drift")
    table.add_column("output", overflow="fold")
    for each in tracked:
        batch = each.batch
        table.add_row(
            str(batch.id),
            moment(batch.at),
            batch.version,
            f"{batch.files:,}",
            f"{sum(batch.failures.values()):,}",
            "" if batch.confidence is None else f"{batch.confidence:.4f}",
            _estimate(each.estimate),
            f"{sum(batch.labels.labelled):,}" if batch.labels else "",
            _drifts(each),
            plain(batch.output),
            style="red" if each.has_changed else None,
        )
    return table


def _card(each: Tracked) -> Card:
    """Return what is known of a batch, without what is not."""
    batch = each.batch
    style = "bold red" if each.has_changed else "bold"
    card = Card(f"{batch.id}: {moment(batch.at)} UTC, {batch.version}", style=style)
    without = sum(batch.failures.values())
    missing = f", {without:,} without a prediction" if without else ""
    card.add_row("images", f"{batch.files:,}{missing}")
    if batch.confidence is not None:
        card.add_row("confidence", f"{batch.confidence:.4f}")
    if each.estimate is not None:
        card.add_row("accuracy", f"{_estimate(each.estimate)}, estimated")
    if batch.labels:
        card.add_row("labels", f"{sum(batch.labels.labelled):,}")
    if drifts := _drifts(each):
        card.add_row("drift", drifts)
    card.add_row("output", plain(batch.output))
    return card


def _drifts(each: Tracked) -> str:
    return ", ".join(figure.what for figure in each.batch.drift if figure.is_far)


def _change(each: Tracked) -> Text:
    accuracy = 0.0 if each.estimate is None else each.estimate.accuracy
    text = (
        f"! Batch {each.batch.id}: the estimated accuracy {accuracy:.4f} is not that of the first "
        f"batches of {each.batch.version}, {each.reference:.4f}."
    )
    return Text(text, style="red")


def _estimate(estimate: Estimate | None) -> str:
    if estimate is None:
        return ""
    return f"{estimate.accuracy:.4f} ({estimate.low:.4f} to {estimate.high:.4f})"


def _champion(status: Status) -> str:
    if status.champion is None or status.champion_since is None:
        return "No champion."
    days = (status.at - status.champion_since).days
    since = moment(status.champion_since)
    return f"Champion: {status.champion.reference} since {since} UTC ({counted(days, 'day')})."


def _remark(job: JobStatus) -> str:
    if job.running:
        return f"runs since {moment(job.running[0].started_at)}"
    last = job.last_failure if job.is_failing else job.last_success
    return plain(last.message or "") if last else ""


def _time(run: JobRun | None) -> str:
    return _moment(None if run is None else run.ended_at)


def _moment(time: datetime | None) -> str:
    if time is None:
        return ""
    return moment(time) if width() >= _WIDE else f"{time:%Y-%m-%d %H:%M}"
