"""Status and scored batches as values that JSON can hold, under the names of their fields."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

from pipeline.monitoring.accuracy import Tracked
from pipeline.monitoring.status import JobStatus, Status
from pipeline.reporting.registry_json import proposal_json, time_json
from registry import Batch, JobRun, Message


def status_json(status: Status) -> dict[str, Any]:
    """Return a status as values that JSON can hold."""
    return {
        "at": time_json(status.at),
        "problems": list(status.problems),
        "jobs": [_job_json(job, status.at) for job in status.jobs],
        "champion": status.champion.reference if status.champion else None,
        "champion_since": _time(status.champion_since),
        "messages_waiting": [_message_json(message) for message in status.waiting],
        "proposals": [proposal_json(proposal) for proposal in status.proposals],
        "last_batch": batch_json(status.last_batch) if status.last_batch else None,
        "drifted_batches": [batch.id for batch in status.drifted],
    }


def batch_json(batch: Batch) -> dict[str, Any]:
    """Return a scored batch as values that JSON can hold."""
    values = asdict(batch)
    values["drift"] = [{**asdict(figure), "is_far": figure.is_far} for figure in batch.drift]
    return {**values, "at": time_json(batch.at), "predicted": batch.predicted}


def tracked_json(tracked: Tracked) -> dict[str, Any]:
    """Return a scored batch and its accuracy as values that JSON can hold.

    The estimate is the one that labels correct.
    """
    return {
        **batch_json(tracked.batch),
        "estimate": asdict(tracked.estimate) if tracked.estimate else None,
        "reference_accuracy": tracked.reference,
        "has_changed": tracked.has_changed,
    }


def _job_json(job: JobStatus, moment: datetime) -> dict[str, Any]:
    return {
        "job": job.job,
        "last_success": _run_json(job.last_success) if job.last_success else None,
        "last_failure": _run_json(job.last_failure) if job.last_failure else None,
        "running": [_run_json(run) for run in job.running],
        "next_run": _time(job.next_run),
        "max_hours": job.max_hours,
        "is_failing": job.is_failing,
        "is_overdue": job.is_overdue(moment),
    }


def _run_json(run: JobRun) -> dict[str, Any]:
    return {
        "started_at": time_json(run.started_at),
        "ended_at": _time(run.ended_at),
        "outcome": run.outcome,
        "message": run.message,
        "host": run.host,
        "run_id": run.run_id,
    }


def _message_json(message: Message) -> dict[str, Any]:
    return {
        "id": message.id,
        "at": time_json(message.at),
        "kind": message.kind,
        "errors": list(message.errors),
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else time_json(moment)
