"""Serving the scheduled jobs to a Prefect server."""

import asyncio
import logging
import os
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any, Self, cast
from uuid import UUID

import httpx
from prefect.client.schemas.objects import (
    ConcurrencyLimitConfig,
    ConcurrencyLimitStrategy,
)
from prefect.deployments.runner import RunnerDeployment
from prefect.flows import Flow
from prefect.runner import Runner
from prefect.schedules import Interval, Schedule
from prefect.types.entrypoint import EntrypointType

from pipeline.errors import ServerError
from pipeline.flows import flows, recovery
from pipeline.flows.automations import TAG, apply_automations, heartbeat_frequency

_log = logging.getLogger(__name__)

# Seconds in which everything ends after SIGTERM. Docker kills a container after ten.
_STOP_LIMIT = 8

# Seconds of them that a run has. If it is killed then, it is taken up again.
_CANCEL_LIMIT = 3


def serve(
    retrain: Schedule,
    parameters: dict[str, Any],
    *,
    ingest: Schedule,
    inbox: dict[str, Any] | None = None,
    every: float = 60,
    own_server: bool = False,
    stop: threading.Event,
) -> None:
    """Serve the jobs until this process is stopped, which cancels the current runs.

    Parameters
    ----------
    retrain : Schedule
        When to retrain.
    parameters : dict
        Parameters of the flow ``retrain``.
    ingest : Schedule
        When to verify the data.
    inbox : dict, optional
        Parameters of the flow ``score-inbox``; by default it is not served.
    every : float
        Seconds from one look into the inbox to the next.
    own_server : bool
        Whether the Prefect server is this process's own, so that no other process runs these jobs.
    stop : threading.Event
        Set if this process was asked to stop before Prefect handles the signal. Eight seconds
        after it is set, this process ends, with whatever it has not finished.

    Raises
    ------
    ServerError
        If the Prefect server ends while the deployments are registered.
    """
    # A run that is due while another one runs waits for it; cancelled, it would be lost silently.
    deployments = [
        _deployment(flows.retrain, retrain, parameters),
        _deployment(flows.ingest, ingest, {}),
    ]
    if inbox is not None:
        schedule = Interval(timedelta(seconds=every))
        # A run that is due while another one runs is cancelled, because the next one finds the same
        # files. If they waited, they would pile up during a long scoring.
        deployments.append(
            _deployment(flows.score_inbox, schedule, inbox, ConcurrencyLimitStrategy.CANCEL_NEW)
        )
    # By default Prefect pauses the schedules when it stops, and they stay paused.
    runner = _Runner(stop, pause_on_shutdown=False, limit=len(deployments))
    try:
        _set_up(runner, deployments, own_server=own_server)
    except httpx.TransportError as error:
        raise ServerError(f"The Prefect server does not answer any more ({error}).") from error
    with suppress(KeyboardInterrupt):
        asyncio.run(runner.start())


def _set_up(runner: Runner, deployments: list[RunnerDeployment], *, own_server: bool) -> None:
    """Register the deployments, and put in order what an earlier `serve` left."""
    if heartbeat_frequency() is not None:
        apply_automations()
    # Outside an event loop this is the id itself, not an awaitable.
    served = [cast(UUID, runner.add_deployment(deployment)) for deployment in deployments]
    recovery.stop_other_schedules(TAG, served)
    recovery.drop_overdue_runs(served)
    if own_server:
        recovery.take_up_interrupted_runs(served)


class _Runner(Runner):
    """A Prefect runner that waits for its server, and stops cleanly on SIGTERM.

    Prefect's own runner exits at once, and its runs stay ``Running`` for ever.
    """

    def __init__(self, stop: threading.Event, **options: Any) -> None:
        super().__init__(**options)
        self._stop = stop
        self._is_reachable = True
        threading.Thread(target=self._end_in_time, name="stop", daemon=True).start()

    async def __aenter__(self) -> Self:
        """Start, and stop at once if the signal has come already."""
        await super().__aenter__()
        poller = self._scheduled_run_poller
        poller._get_and_submit_flow_runs = partial(  # type: ignore[method-assign]
            self._poll, poller._get_and_submit_flow_runs
        )
        if self._stop.is_set():
            self._stop_soon()
        return self

    def handle_sigterm(self, *_: object) -> None:
        """Cancel the current runs and stop."""
        self._stop.set()
        if self.started:
            self._stop_soon()

    async def _poll(self, poll: Callable[[], Awaitable[None]]) -> None:
        """Submit what is due, if the server answers.

        Prefect's own runner gives up, with pages of tracebacks, after three polls without a server.
        """
        try:
            await poll()
        except (httpx.TransportError, httpx.HTTPStatusError) as error:
            if isinstance(error, httpx.HTTPStatusError) and not error.response.is_server_error:
                raise
            if self._is_reachable:
                _log.warning("The Prefect server does not answer (%s); trying again.", error)
            self._is_reachable = False
        else:
            self._is_reachable = True

    async def cancel_all(self) -> None:
        """Cancel the current runs, side by side; Prefect would take up to 30 seconds for each."""
        manager = self._process_manager
        manager.kill = partial(self._kill, manager.kill)  # type: ignore[method-assign]
        await asyncio.gather(*map(self._cancel, manager.flow_run_ids()))

    async def _cancel(self, run_id: UUID) -> None:
        try:
            run = await self._client.read_flow_run(run_id)
            await self._cancellation_manager.cancel(run, state_msg=recovery.STOPPED)
        except httpx.HTTPError as error:
            _log.warning("The run %s was not marked as cancelled: %s.", run_id, error)

    async def _kill(
        self,
        kill: Callable[..., Awaitable[None]],
        run_id: UUID,
        grace_seconds: float = _CANCEL_LIMIT,
        **options: Any,
    ) -> None:
        await kill(run_id, grace_seconds=min(grace_seconds, _CANCEL_LIMIT), **options)

    def _end_in_time(self) -> None:
        """Kill the runs and end this process, if it lives some seconds after it was to stop.

        A busy server may take minutes to answer. Nothing is lost without its answer.
        """
        self._stop.wait()
        time.sleep(_STOP_LIMIT)
        for run_id in self._process_manager.flow_run_ids():
            run = self._process_manager.get(run_id)
            if run is not None:
                with suppress(OSError):
                    run.hard_kill()
        # A server of this process's own ends because its pipe from here is closed.
        os._exit(0)

    def _stop_soon(self) -> None:
        loop = asyncio.get_running_loop()
        # A signal does not wake the event loop; this call does.
        loop.call_soon_threadsafe(loop.create_task, self._stop_once())

    async def _stop_once(self) -> None:
        if self.started:
            await self.astop()


def _deployment(
    flow: Flow[..., Any],
    schedule: Schedule,
    parameters: dict[str, Any],
    collision: ConcurrencyLimitStrategy = ConcurrencyLimitStrategy.ENQUEUE,
) -> RunnerDeployment:
    # Outside an event loop this is the deployment itself, not an awaitable.
    return cast(
        RunnerDeployment,
        flow.to_deployment(
            "scheduled",
            schedule=schedule,
            parameters=parameters,
            tags=[TAG],
            concurrency_limit=ConcurrencyLimitConfig(limit=1, collision_strategy=collision),
            entrypoint_type=EntrypointType.MODULE_PATH,
        ),
    )
