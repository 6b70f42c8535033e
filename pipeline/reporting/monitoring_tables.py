"""Status and scored batches as Rich tables."""

from collections.abc import Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.monitoring.accuracy import Tracked
from pipeline.monitoring.status import JobStatus, Status
from pipeline.reporting.text import moment, plain
from registry import Estimate, JobRun


def status_tables(status: Status) -> RenderableType:
    """Return what an operator has to know, what needs a person first."""
    parts: list[RenderableType] = [
        Text(f"! {plain(problem)}", style="red") for problem in status.problems
    ] or [Text("Nothing needs a person.")]
    jobs = Table("job", "last success (UTC)", "last failure (UTC)", "next run (UTC)", "", box=None)
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
    """Return a row for each batch."""
    if not tracked:
        return Text("No batches yet. `digits score` makes the first.")
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
            ", ".join(figure.what for figure in batch.drift if figure.is_far),
            plain(batch.output),
            style="red" if each.has_changed else None,
        )
    return Group(table, *map(_change, (each for each in tracked if each.has_changed)))


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
    return f"Champion: {status.champion.reference} since {since} UTC ({days} days)."


def _remark(job: JobStatus) -> str:
    if job.running:
        return f"runs since {moment(job.running[0].started_at)}"
    last = job.last_failure if job.is_failing else job.last_success
    return plain(last.message or "") if last else ""


def _time(run: JobRun | None) -> str:
    return _moment(None if run is None else run.ended_at)


def _moment(time: datetime | None) -> str:
    return "" if time is None else moment(time)
