"""The last runs of each job: when, where, and what became of them."""

import socket
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from registry import messages, schema, validation
from registry.databases import Database
from registry.records import JobRun
from registry.times import now, to_datetime

STOPPED = "stopped"
FAILED = "failed"
CRASHED = "crashed"

_MESSAGES = {FAILED: messages.JOB_FAILED, CRASHED: messages.JOB_CRASHED}

_KILLED = "Its process was killed."

# A job that fails every minute for the same reason writes one message in this time.
_REPEATED = timedelta(hours=12)

# Runs that are kept of each job and outcome. A look into an inbox a minute makes many.
_KEPT = 20

_runs = schema.job_runs.c


class JobRuns:
    """The runs of jobs in a registry.

    A run that is killed cannot tell. Its row stays without an end until another process on its
    host finds out that its process is gone.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, job: str, process: str, run_id: str | None = None) -> JobRun:
        """Record that a run of a job begins in this process.

        Parameters
        ----------
        job : str
        process : str
            Identifies the process on this host, also after its number was given to another one.
        run_id : str, optional
        """
        row = {
            "job": validation.text("job", job, 64, least=1),
            "host": socket.gethostname()[: schema.NAME_LIMIT],
            "process": validation.text("process", process, schema.NAME_LIMIT, least=1),
            "run_id": validation.optional_text("run_id", run_id),
            "started_at": now(),
        }
        insert = sa.insert(schema.job_runs).values(row).returning(*schema.job_runs.c)
        with self._database.write() as connection:
            return _to_run(connection.execute(insert).one())

    def end(self, run: JobRun, outcome: str, message: str | None = None) -> None:
        """Record the end of a run, with a message to people if it failed or crashed.

        The message is left out if the job failed or crashed for the same reason in the last 12
        hours, and has not succeeded since. Only the first end counts, unless the run was taken for
        crashed and was not.
        """
        text = None if message is None else _fitting(message)
        values = {"ended_at": now(), "outcome": validation.text("outcome", outcome, 32, least=1)}
        update = (
            sa.update(schema.job_runs)
            .where(_runs.id == run.id)
            .where(sa.or_(_runs.ended_at.is_(None), _runs.outcome == CRASHED))
            .where(_runs.outcome.is_distinct_from(outcome))
            .values(message=text, **values)
        )
        with self._database.write() as connection:
            is_repeated = outcome in _MESSAGES and _is_repeated(connection, run, outcome, text)
            if connection.execute(update).rowcount == 0:
                return
            if outcome in _MESSAGES and not is_repeated:
                key = f"{run.job}/{run.host}/{run.process}/{run.started_at.isoformat()}"
                body = _message_body(run, text)
                messages.write(connection, _MESSAGES[outcome], body, key=key, at=now())
            _remove_old(connection, run.job, outcome)

    def end_killed(self, is_alive: Callable[[str], bool]) -> list[JobRun]:
        """Record the end of the runs on this host whose process is gone; return them.

        Parameters
        ----------
        is_alive : callable
            Tells whether a process of this host runs, by what `begin` was given.
        """
        host = socket.gethostname()[: schema.NAME_LIMIT]
        gone = [
            run for run in self.read(running=True) if run.host == host and not is_alive(run.process)
        ]
        for run in gone:
            self.end(run, CRASHED, _KILLED)
        return gone

    def read(
        self, job: str | None = None, *, running: bool = False, limit: int | None = None
    ) -> list[JobRun]:
        """Return runs, the newest first.

        Parameters
        ----------
        job : str, optional
            Only of this job.
        running : bool, optional
            Only those without an end.
        limit : int, optional
        """
        validation.count("limit", limit)
        query = sa.select(schema.job_runs).order_by(_runs.id.desc()).limit(limit)
        if job is not None:
            query = query.where(_runs.job == job)
        if running:
            query = query.where(_runs.ended_at.is_(None))
        with self._database.read() as connection:
            return [_to_run(row) for row in connection.execute(query)]


def _is_repeated(connection: Connection, run: JobRun, outcome: str, text: str | None) -> bool:
    """Tell whether a job's last runs ended like this one."""
    query = (
        sa.select(_runs.outcome, _runs.message)
        .where(_runs.job == run.job, _runs.outcome != STOPPED)
        .where(_runs.ended_at > now() - _REPEATED // timedelta(microseconds=1))
        .order_by(_runs.ended_at.desc(), _runs.id.desc())
        .limit(1)
    )
    return connection.execute(query).first() == (outcome, text)


def _message_body(run: JobRun, text: str | None) -> dict[str, Any]:
    return {
        "job": run.job,
        "host": run.host,
        "run_id": run.run_id,
        "started_at": run.started_at.isoformat(),
        "error": text,
    }


def _remove_old(connection: Connection, job: str, outcome: str) -> None:
    """Remove all but the last runs of a job with this outcome."""
    is_such = sa.and_(_runs.job == job, _runs.outcome == outcome)
    newest = (
        sa.select(_runs.id).where(is_such).order_by(_runs.ended_at.desc(), _runs.id.desc())
    ).limit(_KEPT)
    connection.execute(
        sa.delete(schema.job_runs).where(is_such, _runs.id.not_in(newest.scalar_subquery()))
    )


def _fitting(message: str) -> str:
    """Return a text that both databases accept."""
    text = message.replace("\0", "").encode(errors="backslashreplace").decode()
    return text[: schema.TEXT_LIMIT]


def _to_run(row: Any) -> JobRun:
    return JobRun(
        id=row.id,
        job=row.job,
        host=row.host,
        process=row.process,
        run_id=row.run_id,
        started_at=to_datetime(row.started_at),
        ended_at=None if row.ended_at is None else to_datetime(row.ended_at),
        outcome=row.outcome,
        message=row.message,
    )
