"""Runs that were cut short, and what an earlier `digits serve` left behind."""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    DeploymentFilterTags,
    FlowRunFilter,
    FlowRunFilterId,
    FlowRunFilterState,
    FlowRunFilterStateType,
    TaskRunFilter,
    TaskRunFilterState,
    TaskRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.flows import Flow
from prefect.states import AwaitingRetry, Cancelled, Crashed

# The most runs that Prefect returns at once.
_PAGE = 200

_UNFINISHED: list[StateType] = [StateType.PENDING, StateType.RUNNING]
_BEGUN: list[StateType] = [each for each in StateType if each != StateType.SCHEDULED]

STOPPED = "Runner is shutting down."
"""Prefect's message of a run that is cancelled because the runner stops."""

_KILLED = "The `digits serve` that started it was killed."

MOST_STARTS = 10
"""How often a run is started, so that one that always kills its machine does not for ever."""

# After a crash; memory may be short.
_PAUSE = timedelta(minutes=1)


def take_up_interrupted_runs(deployments: Iterable[UUID]) -> None:
    """Start the runs of these deployments again that an earlier `serve` could not end.

    Call it only if no other process can own a run of them: before anything runs, and if the Prefect
    server is this process's own. A run that was killed while it was pending has never sent a
    heartbeat, so nothing else ends it, and its slot stays taken.
    """
    with get_client(sync_client=True) as client:
        for deployment in deployments:
            lost = _runs(client, deployment, _UNFINISHED)
            for run in lost:
                # This frees its slot.
                client.set_flow_run_state(run.id, Crashed(message=_KILLED), force=True)
            for run in _runs(client, deployment, [StateType.CANCELLING]):
                # A user does not want it any more.
                client.set_flow_run_state(run.id, Cancelled(), force=True)
                _end_tasks(client, run)
            interrupted = {run.id: run for run in lost}
            last = next(iter(_runs(client, deployment, _BEGUN, limit=1)), None)
            if last is not None and _was_cut_short(last):
                interrupted[last.id] = last
            for run in interrupted.values():
                _start_again(client, run)


def start_again_after_crash(
    flow: Flow[..., Any],  # noqa: ARG001 - Prefect passes these by name
    flow_run: FlowRun,
    state: State,  # noqa: ARG001
) -> None:
    """Start a run of a deployment again whose process crashed: a hook of Prefect for that state."""
    if flow_run.deployment_id is not None:
        with get_client(sync_client=True) as client:
            _start_again(client, client.read_flow_run(flow_run.id), _PAUSE)


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


def _start_again(client: SyncPrefectClient, run: FlowRun, pause: timedelta = timedelta(0)) -> None:
    """Schedule a run that has ended once more, and end its tasks, which its process left."""
    _end_tasks(client, run)
    if run.run_count < MOST_STARTS:
        again: State[Any] = AwaitingRetry(
            scheduled_time=datetime.now(UTC) + pause, message="It is taken up again."
        )
        client.set_flow_run_state(run.id, again)


def _end_tasks(client: SyncPrefectClient, run: FlowRun) -> None:
    """End the task runs of a flow run that has ended."""
    tasks = client.read_task_runs(
        flow_run_filter=FlowRunFilter(id=FlowRunFilterId(any_=[run.id])),
        task_run_filter=TaskRunFilter(
            state=TaskRunFilterState(type=TaskRunFilterStateType(any_=_UNFINISHED))
        ),
    )
    for task in tasks:
        client.set_task_run_state(task.id, Crashed(message="Its flow run ended."), force=True)


def _was_cut_short(run: FlowRun) -> bool:
    """Return whether a run crashed or was stopped with `serve`; not if a user cancelled it."""
    if run.state is None:
        return False
    return run.state.type == StateType.CRASHED or run.state.message == STOPPED


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
