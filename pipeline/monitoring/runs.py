"""The record of each job's runs, which does not depend on what runs them.

A job is recorded by its own process: its begin, and its end with the outcome. If the process is
killed there is no end; the next job, `digits serve` or `digits notify send` on the same host finds
out and records a crash. A registry that cannot be written fails no job.
"""

import contextlib
import functools
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from pipeline.errors import BusyError
from pipeline.models import open_registry
from pipeline.monitoring.delivery import deliver_quietly
from pipeline.monitoring.tracing import traced
from pipeline.settings import Settings, load_settings
from registry import JobRun, RegistryError

_log = logging.getLogger(__name__)

_P = ParamSpec("_P")
_T = TypeVar("_T")

# Whether a job runs in this context: a job that another one calls is a part of it.
_is_inside: ContextVar[bool] = ContextVar("is_inside", default=False)

# Id of the run elsewhere, such as in Prefect.
_run_id: ContextVar[str | None] = ContextVar("run_id", default=None)


@contextlib.contextmanager
def running_as(run_id: str | None) -> Iterator[None]:
    """Record the job that is called in this block under the id that it has elsewhere."""
    token = _run_id.set(run_id)
    try:
        yield
    finally:
        _run_id.reset(token)


def recorded(
    job: str,
    outcome_of: Callable[[_T], tuple[str, str]],
    *,
    create: bool = False,
    check: Callable[[Settings, Mapping[str, Any]], object] | None = None,
) -> Callable[[Callable[_P, _T]], Callable[_P, _T]]:
    """Record the runs of a job, and deliver messages after each.

    Parameters
    ----------
    job : str
        Name of the job.
    outcome_of : callable
        Returns the outcome of a run and a line about it, from what the job returned.
    create : bool, optional
        Create the registry if there is none; by default such a run is not recorded.
    check : callable, optional
        Called with the settings and the keyword arguments before anything is recorded. A call that
        it refuses is no run.
    """

    def decorate(function: Callable[_P, _T]) -> Callable[_P, _T]:
        @functools.wraps(function)
        def run(*args: _P.args, **kwargs: _P.kwargs) -> _T:
            if _is_inside.get():
                return function(*args, **kwargs)
            given = kwargs.get("settings")
            settings = given if isinstance(given, Settings) else load_settings()
            if check is not None:
                check(settings, kwargs)
            token = _is_inside.set(True)
            begun = _begin(settings, job, create=create)
            try:
                with traced(job):
                    result = function(*args, **kwargs)
            except BaseException as error:
                _end(settings, begun, *_outcome_of_error(error))
                # Whoever was told to stop has no time left to send messages.
                if isinstance(error, Exception):
                    deliver_quietly(settings)
                raise
            finally:
                _is_inside.reset(token)
            _end(settings, begun, *outcome_of(result))
            deliver_quietly(settings)
            return result

        return run

    return decorate


def record_lost_run(job: str, run_id: str, outcome: str, message: str | None) -> None:
    """Record how a run ended, if its job could not: it did not begin, or its process is gone.

    Parameters
    ----------
    job : str
    run_id : str
        The id that the run has elsewhere, such as in Prefect.
    outcome : str
        ``failed`` or ``crashed``.
    message : str, optional
        The reason.
    """
    settings = load_settings()
    try:
        with open_registry(settings, create=False) as registry:
            registry.job_runs.end_killed(is_alive)
            if not any(run.run_id == run_id for run in registry.job_runs.read(job)):
                begun = registry.job_runs.begin(job, this_process(), run_id)
                registry.job_runs.end(begun, outcome, message)
    except RegistryError as error:
        _log.info("The end of this run is not recorded in the registry: %s", error)
    deliver_quietly(settings)


def this_process() -> str:
    """Return what identifies this process on this host, also after its number is used again."""
    return _identity(os.getpid()) or str(os.getpid())


def is_alive(process: str) -> bool:
    """Tell whether a process runs, by what `this_process` returned in it.

    A process in another container counts as running: its number means nothing here.
    """
    own, fields = this_process().split(), process.split()
    if len(own) != len(fields) or len(fields) == 1:
        return _exists(fields[0])
    if own[2] != fields[2]:
        # The machine was started again.
        return False
    return own[3] != fields[3] or _identity(int(fields[0])) == process


def _begin(settings: Settings, job: str, *, create: bool) -> JobRun | None:
    try:
        with open_registry(settings, create=create) as registry:
            registry.job_runs.end_killed(is_alive)
            return registry.job_runs.begin(job, this_process(), _run_id.get())
    except RegistryError as error:
        _log.info("This run is not recorded in the registry: %s", error)
        return None


def _end(settings: Settings, begun: JobRun | None, outcome: str, message: str) -> None:
    if begun is None:
        return
    try:
        with open_registry(settings, create=False) as registry:
            registry.job_runs.end(begun, outcome, message)
    except RegistryError as error:
        _log.warning("The end of this run is not recorded in the registry: %s", error)


def _outcome_of_error(error: BaseException) -> tuple[str, str]:
    """Return the outcome of a run that ended with an error, and the error in a line."""
    if not isinstance(error, Exception):
        return "stopped", "It was told to stop."
    # A run that left the work to another one did not fail.
    outcome = "stopped" if isinstance(error, BusyError) else "failed"
    return outcome, " ".join(str(error).split()) or type(error).__name__


def _identity(number: int) -> str | None:
    """Return number, start, boot and container of a process; None if it does not run here."""
    try:
        # The name of the program, in brackets, may hold spaces. The start is the 22nd field.
        start = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[19]
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        container = os.readlink("/proc/self/ns/pid")  # noqa: PTH115 - it is no path
    except (OSError, IndexError):
        return None
    return f"{number} {start} {boot} {container}"


def _exists(number: str) -> bool:
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, ValueError):
        return True
    return True
