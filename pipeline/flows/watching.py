"""What `digits serve` does beside its jobs: it watches them, and answers questions about them."""

import contextlib
import json
import logging
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta

from prefect.schedules import Schedule

from pipeline import files
from pipeline.errors import InvalidParameterError, ServerError
from pipeline.flows.schedules import next_runs
from pipeline.jobs.status import NEXT_RUNS, status
from pipeline.monitoring.endpoints import endpoints_of
from pipeline.monitoring.watching import Watcher
from pipeline.settings import Settings

_log = logging.getLogger(__name__)


@contextlib.contextmanager
def watched(
    settings: Settings,
    schedules: Mapping[str, Schedule],
    *,
    every: float | None = None,
    metrics: str | None = None,
) -> Iterator[None]:
    """Send messages, and write the next run of each job, for as long as the block lasts.

    Parameters
    ----------
    settings : Settings
    schedules : mapping of str to Schedule
        The cron schedule of each job.
    every : float, optional
        Seconds from one look into the inbox to the next; None if there is no inbox.
    metrics : str, optional
        ``HOST:PORT`` to serve the status to Prometheus at.

    Raises
    ------
    SettingsError
        If an address in ``DIGITS_NOTIFY`` is not valid.
    InvalidParameterError
        If the address for the metrics is not of this form.
    ServerError
        If nothing can be served there.
    """

    def write() -> None:
        moment = datetime.now(UTC)
        times = {job: next_runs(schedule, 1)[0] for job, schedule in schedules.items()}
        if every is not None:
            times["score-inbox"] = moment + timedelta(seconds=every)
        content = {
            "at": moment.isoformat(),
            "next": {job: time.astimezone(UTC).isoformat() for job, time in times.items()},
        }
        with files.atomic_write(settings.home / NEXT_RUNS) as temporary:
            temporary.write_text(json.dumps(content))

    # An address that is not valid is told now, and not when the first message is lost.
    endpoints_of(settings.notify, "")
    with contextlib.ExitStack() as stack:
        if metrics is not None:
            stack.enter_context(_metrics_served(settings, metrics))
        stack.enter_context(Watcher(settings, also=write))
        try:
            yield
        finally:
            (settings.home / NEXT_RUNS).unlink(missing_ok=True)


@contextlib.contextmanager
def _metrics_served(settings: Settings, address: str) -> Iterator[None]:
    """Serve the status to Prometheus for as long as the block lasts."""
    from prometheus_client import start_http_server

    from pipeline.reporting.prometheus import metrics_registry

    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal() or int(port) >= 1 << 16:
        raise InvalidParameterError("metrics", "HOST:PORT, such as 127.0.0.1:9464", address)
    registry = metrics_registry(lambda: status(settings=settings))
    try:
        server, thread = start_http_server(int(port), host.strip("[]"), registry)
    except OSError as error:
        raise ServerError(f"Metrics cannot be served at {address} ({error.strerror}).") from None
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
