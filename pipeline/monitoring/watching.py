"""What nobody else reports: runs that were killed, and jobs that are overdue."""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from pipeline.errors import PipelineError
from pipeline.models import open_registry
from pipeline.monitoring.delivery import Attempt, deliver, deliver_quietly, give_up_old
from pipeline.monitoring.runs import is_alive
from pipeline.settings import MaxHours, Settings
from registry import NoRegistryError, Registry, RegistryError

_log = logging.getLogger(__name__)


def watch(settings: Settings) -> list[Attempt]:
    """Write the messages that nobody else writes, and send all that are due.

    Raises
    ------
    SettingsError
        If an address in ``DIGITS_NOTIFY`` is not valid.
    registry.RegistryError
        If the registry cannot be read or written.
    """
    report_silence(settings)
    return deliver(settings)


def report_silence(settings: Settings) -> None:
    """Write messages about runs that were killed, and about overdue jobs, each once.

    Raises
    ------
    registry.RegistryError
    """
    try:
        registry = open_registry(settings, create=False)
    except NoRegistryError:
        return
    with registry:
        # Also if there is no receiver: messages would pile up.
        give_up_old(registry)
        registry.job_runs.end_killed(is_alive)
        for field in MaxHours.model_fields:
            hours = getattr(settings.max_hours, field)
            if hours is not None:
                _report_overdue(registry, field.replace("_", "-"), hours)


def _report_overdue(registry: Registry, job: str, hours: float) -> None:
    runs = registry.job_runs.read(job)
    successes = [run.ended_at for run in runs if run.has_succeeded and run.ended_at]
    last = max(successes, default=None)
    # A job that has never succeeded is late from its first run on.
    since = last or min((run.started_at for run in runs), default=None)
    if since is None or datetime.now(UTC) - since < timedelta(hours=hours):
        return
    key = f"{job} {since.isoformat()}"
    if not registry.messages.was_written("job.overdue", key):
        body = {"job": job, "hours": hours, "last_success": last.isoformat() if last else None}
        registry.messages.write("job.overdue", body, key=key)


class Watcher:
    """A thread that watches for as long as a block lasts.

    Parameters
    ----------
    settings : Settings
    every : float
        Seconds from one look to the next.
    also : callable, optional
        Is called at each look too.
    """

    def __init__(
        self, settings: Settings, every: float = 30.0, also: Callable[[], None] | None = None
    ) -> None:
        self._settings = settings
        self._every = every
        self._also = also
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watcher", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._stop.set()

    def _run(self) -> None:
        while True:
            self._look()
            if self._stop.wait(self._every):
                return

    def _look(self) -> None:
        try:
            report_silence(self._settings)
            if self._also is not None:
                self._also()
        except (RegistryError, PipelineError, OSError) as error:
            _log.warning("A look at the runs failed, and is repeated: %s", error)
        deliver_quietly(self._settings)
