"""Status: the last runs of each job, the champion, messages and batches → what needs a person."""

import contextlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from pipeline.models import CHAMPION, MODEL, open_registry
from pipeline.monitoring.runs import is_alive
from pipeline.monitoring.status import JobStatus, Status
from pipeline.monitoring.wording import title_of
from pipeline.settings import MaxHours, Settings, load_settings
from registry import (
    Batch,
    JobRun,
    Message,
    ModelVersion,
    NotFoundError,
    Proposal,
    Registry,
    RegistryError,
)

# A drifted batch needs a person for this long.
_RECENT = timedelta(days=1)

# A message that could not be delivered may still arrive by itself for this long.
_PATIENCE = timedelta(hours=1)

# `digits serve` writes the next runs every half minute; it was killed if they are older than this.
_FRESH = timedelta(minutes=5)

_NEVER = datetime.min.replace(tzinfo=UTC)

NEXT_RUNS = "next-runs.json"
"""File of the home with the next run of each job that `digits serve` serves."""


def status(*, settings: Settings | None = None) -> Status:
    """Return the last runs of each job, the champion, the messages, and what needs a person.

    Parameters
    ----------
    settings : Settings, optional
        Those of the environment by default.

    Raises
    ------
    registry.NoRegistryError
        If there is no registry.
    """
    settings = settings or load_settings()
    moment = datetime.now(UTC)
    with open_registry(settings, create=False) as registry:
        # A registry that can only be read is no reason not to answer.
        with contextlib.suppress(RegistryError):
            registry.job_runs.end_killed(is_alive)
        jobs = _jobs(registry.job_runs.read(), settings, moment)
        champion, since = _champion(registry)
        waiting = tuple(registry.messages.waiting()) if settings.notify else ()
        proposals = _proposals(registry)
        drifted = tuple(registry.batches(MODEL, since=moment - _RECENT, drifted=True))
        last = registry.batches(MODEL, limit=1)
    problems = [
        *_problems_of_jobs(jobs, moment),
        *(() if champion else ("There is no champion.",)),
        *_problems_of_messages(waiting, moment),
        *(f"{each.version} waits for approval as {each.alias}." for each in proposals),
        *map(_drift_problem, drifted),
    ]
    return Status(
        at=moment,
        jobs=jobs,
        champion=champion,
        champion_since=since,
        waiting=waiting,
        proposals=proposals,
        last_batch=last[0] if last else None,
        drifted=drifted,
        problems=tuple(problems),
    )


def _jobs(runs: Sequence[JobRun], settings: Settings, moment: datetime) -> tuple[JobStatus, ...]:
    limits = {
        name.replace("_", "-"): getattr(settings.max_hours, name) for name in MaxHours.model_fields
    }
    next_runs = _next_runs(settings, moment)
    names = {run.job for run in runs} | set(next_runs)
    names |= {name for name, limit in limits.items() if limit is not None}
    return tuple(
        JobStatus(
            job=name,
            last_success=_last(run for run in runs if run.job == name and run.has_succeeded),
            last_failure=_last(run for run in runs if run.job == name and run.has_failed),
            running=tuple(run for run in runs if run.job == name and run.ended_at is None),
            next_run=next_runs.get(name),
            max_hours=limits.get(name),
        )
        for name in sorted(names)
    )


def _last(runs: Iterable[JobRun]) -> JobRun | None:
    return max(runs, key=lambda run: (run.ended_at or _NEVER, run.id), default=None)


def _next_runs(settings: Settings, moment: datetime) -> Mapping[str, datetime]:
    """Return the next runs that a running `digits serve` has written."""
    try:
        content = json.loads((settings.home / NEXT_RUNS).read_text())
        if moment - datetime.fromisoformat(content["at"]) > _FRESH:
            return {}
        return {job: datetime.fromisoformat(time) for job, time in content["next"].items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}


def _champion(registry: Registry) -> tuple[ModelVersion | None, datetime | None]:
    try:
        alias = registry.alias(MODEL, CHAMPION)
        return registry.get(alias.reference), alias.moved_at
    except NotFoundError:
        return None, None


def _proposals(registry: Registry) -> tuple[Proposal, ...]:
    try:
        return tuple(registry.proposals(MODEL))
    except NotFoundError:
        return ()


def _problems_of_jobs(jobs: Sequence[JobStatus], moment: datetime) -> Iterator[str]:
    for job in jobs:
        if job.is_failing and job.last_failure is not None:
            yield f"{job.job} {job.last_failure.outcome}: {job.last_failure.message}"
        if job.is_overdue(moment):
            success = job.last_success.ended_at if job.last_success else None
            last = f"{success:%Y-%m-%d %H:%M} UTC" if success else "never"
            yield f"{job.job} is overdue: its last success was {last}, limit {job.max_hours:g} h."


def _problems_of_messages(waiting: Sequence[Message], moment: datetime) -> Iterator[str]:
    for message in waiting:
        if message.errors and moment - message.at > _PATIENCE:
            reasons = ", ".join(dict.fromkeys(message.errors))
            yield f"A message is not delivered ({title_of(message)}): {reasons}."


def _drift_problem(batch: Batch) -> str:
    far = ", ".join(figure.what for figure in batch.drift if figure.is_far)
    return f"Batch {batch.id} drifted in {far}: {batch.output}."
