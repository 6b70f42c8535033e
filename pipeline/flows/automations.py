"""Automations of the Prefect server: the runs of a machine that is lost end, and start again."""

from datetime import timedelta

from prefect.automations import Automation
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.events import EventTrigger, Posture
from prefect.events.actions import ChangeFlowRunState
from prefect.events.schemas.events import ResourceSpecification
from prefect.settings import get_current_settings

from pipeline.errors import ServerError
from pipeline.flows import flows
from pipeline.flows.recovery import MOST_STARTS

TAG = "digits"
"""Tag of the deployments of `digits serve` and of prefect.yaml, and of their runs."""

DEAD_RUNS = "digits: runs whose process died"
"""Name of the automation that marks such runs as crashed."""

LOST_MACHINES = "digits: runs of lost machines start again"
"""Name of the automation that schedules the runs once more that the first one marked."""

_HEARTBEAT = "prefect.flow-run.heartbeat"

# A run is taken for dead after this many heartbeats were missed.
_MISSED_HEARTBEATS = 3

_NO_HEARTBEAT = "No heartbeat for"

# The events of all final states. Without those of our own states, a refusal would be marked as
# crashed.
_FINAL_EVENTS = {
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
        "TimedOut",
    )
}

_OF_OURS = ResourceSpecification({"prefect.resource.id": f"prefect.tag.{TAG}"})


def heartbeat_frequency() -> int | None:
    """Return the seconds from one heartbeat of a run to the next; None if it sends none."""
    return get_current_settings().flows.heartbeat_frequency


def apply_automations() -> list[str]:
    """Create the automations that do not exist yet on the Prefect server, and return their names.

    Existing ones stay as they are: the user may have changed them.

    Raises
    ------
    ServerError
        If Prefect's settings say that runs send no heartbeat.
    """
    frequency = heartbeat_frequency()
    if frequency is None:
        raise ServerError(
            "Prefect's runs have no heartbeat here, so none can be missed: unset "
            "PREFECT_FLOWS_HEARTBEAT_FREQUENCY."
        )
    wanted = [_dead_runs(timedelta(seconds=_MISSED_HEARTBEATS * frequency)), _lost_machines()]
    with get_client(sync_client=True) as client:
        new = [each for each in wanted if not client.read_automations_by_name(each.name)]
    for automation in new:
        automation.create()
    return [automation.name for automation in new]


def _dead_runs(limit: timedelta) -> Automation:
    """Return the automation that marks runs without a heartbeat as crashed.

    If a whole machine is lost, nothing else ends the runs that it had.
    """
    return Automation(
        name=DEAD_RUNS,
        description="Created by digits.",
        trigger=EventTrigger(
            after={_HEARTBEAT},
            expect={_HEARTBEAT, *_FINAL_EVENTS},
            match=ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"}),
            match_related=_OF_OURS,
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            threshold=1,
            within=limit,
        ),
        actions=[
            ChangeFlowRunState(
                name="Crashed",
                state=StateType.CRASHED,
                message=f"{_NO_HEARTBEAT} {limit / timedelta(minutes=1):g} minutes.",
                force=False,
            )
        ],
    )


def _lost_machines() -> Automation:
    """Return the automation that starts runs again whose heartbeat ended.

    If only a run's process dies, a hook of the run does that, on the machine that it ran on.
    """
    return Automation(
        name=LOST_MACHINES,
        description="Created by digits.",
        trigger=EventTrigger(
            expect={"prefect.flow-run.Crashed"},
            match=ResourceSpecification(
                {
                    "prefect.resource.id": "prefect.flow-run.*",
                    "prefect.state-message": f"{_NO_HEARTBEAT}*",
                    "prefect.run-count": [str(count) for count in range(MOST_STARTS)],
                }
            ),
            match_related=_OF_OURS,
            for_each={"prefect.resource.id"},
            posture=Posture.Reactive,
            threshold=1,
        ),
        actions=[
            ChangeFlowRunState(
                name="AwaitingRetry",
                state=StateType.SCHEDULED,
                message="It is taken up again.",
                force=False,
            )
        ],
    )
