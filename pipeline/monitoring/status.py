"""The state of the jobs, the champion and the scored batches at one moment."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from registry import Batch, JobRun, Message, ModelVersion, Proposal


@dataclass(frozen=True, slots=True)
class JobStatus:
    """The last runs of a job."""

    job: str
    last_success: JobRun | None
    last_failure: JobRun | None
    """The last run that failed or crashed."""
    running: tuple[JobRun, ...]
    next_run: datetime | None
    """In UTC; None if `digits serve` does not run it."""
    max_hours: float | None
    """Hours without a success after which it is overdue; None if it never is."""

    @property
    def is_failing(self) -> bool:
        """Whether its last run that ended failed or crashed."""
        if self.last_failure is None or self.last_failure.ended_at is None:
            return False
        success = self.last_success.ended_at if self.last_success else None
        return success is None or self.last_failure.ended_at > success

    def is_overdue(self, moment: datetime) -> bool:
        """Return whether it has not succeeded for too long."""
        if self.max_hours is None:
            return False
        success = self.last_success.ended_at if self.last_success else None
        return success is None or moment - success > timedelta(hours=self.max_hours)


@dataclass(frozen=True, slots=True)
class Status:
    """What an operator has to know."""

    at: datetime
    """When it was taken, in UTC."""
    jobs: tuple[JobStatus, ...]
    """Of the jobs that have run, are served, or have a limit."""
    champion: ModelVersion | None
    champion_since: datetime | None
    """In UTC."""
    waiting: tuple[Message, ...]
    """Messages that some receiver may not have yet, oldest first."""
    proposals: tuple[Proposal, ...]
    """Versions that wait for approval."""
    last_batch: Batch | None
    drifted: tuple[Batch, ...]
    """The batches of the last day that drifted, the newest first."""
    problems: tuple[str, ...]
    """What needs a person, a line each."""
