"""What a `digits serve` that was killed leaves on the Prefect server."""

import json
import os

import forked_commands
import pytest

# A run is in a given state, with its slot; then serve starts again. Prints the runs' states, the
# latest first, the parameters of the latest, and how many slots are taken.
PROGRAM = """
import json
from prefect.client.orchestration import get_client
from prefect.client.schemas.sorting import FlowRunSort
from prefect.runner import Runner
from prefect.schedules import Cron
from prefect.states import Cancelled, Crashed, Pending, Running
from pipeline.flows import flows, recovery
from pipeline.flows.deployments import _deployment

deployment = Runner().add_deployment(_deployment(flows.retrain, Cron("0 3 1 1 *"), {{}}))
with get_client(sync_client=True) as client:
    run = client.create_flow_run_from_deployment(deployment, parameters={{"seed": 7}})
    for state in {states}:
        client.set_flow_run_state(run.id, state)
    recovery.end_lost_runs([deployment])
    recovery.resume_interrupted_work([deployment])
    runs = client.read_flow_runs(sort=FlowRunSort.EXPECTED_START_TIME_DESC)
    limit = client.read_deployment(deployment).global_concurrency_limit
    found = [each for each in runs if each.deployment_id == deployment and not each.auto_scheduled]
    print(json.dumps([[each.state.name for each in found], limit.active_slots]))
"""


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ("[Pending()]", ["Scheduled", "Crashed"]),
        ("[Pending(), Running()]", ["Scheduled", "Crashed"]),
        ("[Pending(), Running(), Crashed()]", ["Scheduled", "Crashed"]),
        (
            "[Pending(), Running(), Cancelled(message='Runner is shutting down.')]",
            ["Scheduled", "Cancelled"],
        ),
        # By a user, who does not want it.
        ("[Pending(), Running(), Cancelled(message='by hand')]", ["Cancelled"]),
    ],
)
def test_what_was_cut_short_is_ended_and_taken_up_at_once(
    server, own_deployments, home, states, expected
):
    """Also a run that was killed while it was pending; its slot is free again."""
    program = PROGRAM.format(states=states)
    ended = forked_commands.python(program, {**os.environ, "PREFECT_API_URL": server})
    assert ended.status == 0, ended.err
    assert json.loads(ended.out) == [expected, 0]


# A deployment that is due every second and that nobody serves, then what a new serve does with it.
OVERDUE = """
import json, time
from datetime import UTC, datetime, timedelta
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import StateType
from prefect.runner import Runner
from prefect.schedules import Interval
from pipeline.flows import flows, recovery
from pipeline.flows.deployments import TAG, _deployment

every_second = Interval(timedelta(seconds=1))
deployment = Runner().add_deployment(_deployment(flows.retrain, every_second, {}))
with get_client(sync_client=True) as client:
    def scheduled():
        return recovery._runs(client, deployment, [StateType.SCHEDULED])
    while len(recovery._overdue(client, deployment)) < 4:
        time.sleep(0.5)
    now = datetime.now(UTC)
    recovery.drop_overdue_runs([deployment])
    late = [run for run in scheduled() if run.next_scheduled_start_time <= now]
    kept = recovery._overdue(client, deployment)
    recovery.stop_other_schedules(TAG, [])
    schedules = client.read_deployment_schedules(deployment)
    print(json.dumps([len(late), len(kept) > 0, len(schedules), len(scheduled())]))
"""


def test_overdue_runs_become_one_and_what_is_not_served_is_not_scheduled(
    server, own_deployments, home
):
    """The latest overdue run stays, unless the schedule goes too."""
    ended = forked_commands.python(OVERDUE, {**os.environ, "PREFECT_API_URL": server})
    assert ended.status == 0, ended.err
    late, *left = json.loads(ended.out)
    assert (late <= 1, left) == (True, [True, 0, 0])
