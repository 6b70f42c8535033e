"""What an earlier `digits serve` left behind: runs that it cannot end any more, and late ones."""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    DeploymentFilterTags,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.states import Crashed

# The most runs that Prefect returns at once.
_PAGE = 200

_UNFINISHED: list[StateType] = [StateType.PENDING, StateType.RUNNING, StateType.CANCELLING]
_BEGUN: list[StateType] = [each for each in StateType if each != StateType.SCHEDULED]

# Prefect's message of a run that is cancelled because the runner stops.
_STOPPED = "Runner is shutting down."

_KILLED = "The `digits serve` that started it was killed."


def end_lost_runs(deployments: Iterable[UUID]) -> None:
    """End the runs of these deployments that have not ended, which frees their slots.

    Call it only if no other process can own a run of them: before anything runs, and if the Prefect
    server is this process's own. A run that was killed while it was pending has never sent a
    heartbeat, so nothing else ends it, and its slot stays taken.
    """
    with get_client(sync_client=True) as client:
        for deployment in deployments:
            for run in _runs(client, deployment, _UNFINISHED):
                client.set_flow_run_state(run.id, Crashed(message=_KILLED), force=True)


def resume_interrupted_work(deployments: Iterable[UUID]) -> None:
    """Start a run now for each deployment whose last run was cut short by the end of `serve`.

    The next scheduled run may be a day away.
    """
    with get_client(sync_client=True) as client:
        for deployment in deployments:
            waiting = _runs(client, deployment, [StateType.SCHEDULED])
            if any(_is_due(run) for run in waiting):
                continue
            last = next(iter(_runs(client, deployment, _BEGUN, limit=1)), None)
            if last is not None and _was_cut_short(last):
                client.create_flow_run_from_deployment(deployment, parameters=last.parameters)


def drop_overdue_runs(deployments: Iterable[UUID]) -> None:
    """Remove the scheduled runs that fell due while nobody served, but the latest of each.

    One run does the work of them all.
    """
    with get_client(sync_client=True) as client:
        for deployment in deployments:
            while overdue := _overdue(client, deployment)[1:]:
                for run in overdue:
                    client.delete_flow_run(run.id)


def stop_other_schedules(tag: str, deployments: Collection[UUID]) -> None:
    """Delete the schedules of deployments that an earlier `serve` had, but this one has not.

    Nobody would run them, and late runs would pile up. Deployments of a work pool have workers.
    """
    with get_client(sync_client=True) as client:
        tags = DeploymentFilterTags(all_=[tag])
        for found in client.read_deployments(deployment_filter=DeploymentFilter(tags=tags)):
            if found.id not in deployments and found.work_pool_name is None:
                for schedule in found.schedules:
                    client.delete_deployment_schedule(found.id, schedule.id)
                while runs := _runs(client, found.id, [StateType.SCHEDULED]):
                    for run in runs:
                        client.delete_flow_run(run.id)


def _overdue(client: SyncPrefectClient, deployment: UUID) -> list[FlowRun]:
    runs = _runs(client, deployment, [StateType.SCHEDULED])
    # A run that a user asked for has parameters of its own.
    return [run for run in runs if run.auto_scheduled and _is_due(run)]


def _was_cut_short(run: FlowRun) -> bool:
    """Return whether a run crashed or was stopped with `serve`; not if a user cancelled it."""
    if run.state is None:
        return False
    return run.state.type == StateType.CRASHED or run.state.message == _STOPPED


def _is_due(run: FlowRun) -> bool:
    due = run.next_scheduled_start_time
    return due is not None and due <= datetime.now(UTC)


def _runs(
    client: SyncPrefectClient, deployment: UUID, types: Sequence[StateType], *, limit: int = _PAGE
) -> list[FlowRun]:
    """Return the runs of a deployment in states of these types, the latest first."""
    return client.read_flow_runs(
        deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment])),
        flow_run_filter=FlowRunFilter(
            state=FlowRunFilterState(type=FlowRunFilterStateType(any_=list(types)))
        ),
        sort=FlowRunSort.EXPECTED_START_TIME_DESC,
        limit=limit,
    )
