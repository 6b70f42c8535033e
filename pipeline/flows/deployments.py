"""Serving the scheduled jobs to a Prefect server."""

import asyncio
import sys
from contextlib import suppress
from datetime import timedelta
from typing import Any, cast

from prefect.automations import Automation
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import (
    ConcurrencyLimitConfig,
    StateType,
)
from prefect.client.schemas.objects import ConcurrencyLimitStrategy as _Collision
from prefect.deployments.runner import RunnerDeployment
from prefect.events import EventTrigger, Posture
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.events import ResourceSpecification
from prefect.flows import Flow
from prefect.runner import Runner
from prefect.schedules import Cron, Interval, Schedule
from prefect.settings import get_current_settings
from prefect.types.entrypoint import EntrypointType

from pipeline.errors import SettingsError
from pipeline.flows import flows

TAG = "digits"
"""Of our deployments and their runs."""

DEAD_RUNS = "digits: runs whose process died"
"""The automation that marks them as crashed."""

_HEARTBEAT = "prefect.flow-run.heartbeat"
# Every name that a run's last state may have; without ours a refusal would be called a crash.
_ENDS = {
    f"prefect.flow-run.{name}"
    for name in (
        "Cancelled",
        "Completed",
        "Crashed",
        "Failed",
        "Paused",
        flows.REJECTED,
        flows.UNCHANGED,
        "Suspended",
    )
}


def serve(
    cron: str,
    parameters: dict[str, Any],
    *,
    ingest_cron: str,
    inbox: dict[str, Any] | None = None,
    every: float = 60,
) -> None:
    """Serve the jobs until this process is told to stop. Runs under way are cancelled then.

    Parameters
    ----------
    cron : str
        When to retrain: five fields, in UTC.
    parameters : dict
        Of the flow ``retrain``.
    ingest_cron : str
        When to verify the data.
    inbox : dict, optional
        Parameters of the flow ``score-inbox``, which is not served without them.
    every : float
        Seconds from one look into the inbox to the next.

    Raises
    ------
    SettingsError
        Where a schedule is none.
    """
    # A late run waits by default; a cancelled one would be a night without a word.
    deployments = [
        _deployment(flows.retrain, _cron("cron", cron), parameters),
        _deployment(flows.ingest, _cron("ingest-cron", ingest_cron), {}),
    ]
    if inbox is not None:
        schedule = Interval(timedelta(seconds=every))
        # What a look that is left out would have found, the next one finds; kept, those that
        # fall due during a long scoring, or while nobody serves, would be made one by one.
        deployments.append(_deployment(flows.score_inbox, schedule, inbox, _Collision.CANCEL_NEW))
    mark_dead_runs()
    # By default Prefect pauses the schedules at the end, and they would stay paused.
    runner = _Runner(pause_on_shutdown=False, limit=len(deployments))
    for deployment in deployments:
        runner.add_deployment(deployment)
    with suppress(KeyboardInterrupt):
        asyncio.run(runner.start())


class _Runner(Runner):
    """Prefect's own exits on SIGTERM without waiting, and its runs stay "Running" for ever."""

    def handle_sigterm(self, *_: object) -> None:
        """Cancel the runs under way, and come to an end."""
        if self.stopping:
            return
        if not self.started:
            sys.exit(0)
        loop = asyncio.get_running_loop()
        # Thread-safe, to wake the loop: a signal does not.
        loop.call_soon_threadsafe(loop.create_task, self.astop())


def mark_dead_runs() -> None:
    """Have the server mark runs as crashed that give no sign of life any more.

    Nothing else does where a whole machine is lost. There is one such automation, however often
    this is called.
    """
    seconds = get_current_settings().flows.heartbeat_frequency
    with get_client(sync_client=True) as client:
        # One that is there may have been changed, and is left as it is.
        if seconds is None or client.read_automations_by_name(DEAD_RUNS):
            return
    Automation(
        name=DEAD_RUNS,
        description="Made by `digits serve`.",
        trigger=EventTrigger(
            after={_HEARTBEAT},
            expect={_HEARTBEAT, *_ENDS},
            match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
            match_related=ResourceSpecification({"prefect.resource.id": f"prefect.tag.{TAG}"}),
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=timedelta(seconds=3 * seconds),
        ),
        actions=[
            ChangeFlowRunState(
                name="Crashed",
                state=StateType.CRASHED,
                message="It gives no sign of life any more.",
                force=False,
            )
        ],
    ).create()


def _deployment(
    flow: Flow[..., Any],
    schedule: Schedule,
    parameters: dict[str, Any],
    collision: _Collision = _Collision.ENQUEUE,
) -> RunnerDeployment:
    # Outside an event loop this is the deployment itself, not a promise of it.
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


def _cron(name: str, cron: str) -> Schedule:
    try:
        return Cron(cron, timezone="UTC")
    except ValueError as error:
        raise SettingsError(
            f"{name}: expected five fields like '0 3 * * *', got {cron!r} ({error})."
        ) from None
