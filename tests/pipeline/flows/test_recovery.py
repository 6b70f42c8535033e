"""Runs that were cut short, and what a `digits serve` that was killed leaves on the server."""

import json
import os

import forked_commands

# A run that was started so often, with a task, is in given states, with its slot. Then serve starts
# again, or the hook of a crash runs. Prints the states of run and task, and the taken slots.
PROGRAM = """
import json
from datetime import UTC, datetime
from prefect import task
from prefect.client.orchestration import get_client
from prefect.runner import Runner
from prefect.schedules import Cron
from prefect.states import Cancelled, Cancelling, Completed, Crashed, Pending, Running
from pipeline.flows import flows, recovery
from pipeline.flows.deployments import _deployment

deployment = Runner().add_deployment(_deployment(flows.retrain, Cron("0 3 1 1 *"), {{}}))

def found_after(states, starts=1, hook=False):
    run = client.create_flow_run_from_deployment(deployment)
    for _ in range(starts):
        for state in states:
            client.set_flow_run_state(run.id, state, force=True)
    training = client.create_task_run(task(recovery._is_due), run.id, "0", state=Running())
    if hook:
        recovery.start_again_after_crash(flow=flows.retrain, flow_run=run, state=states[-1])
    else:
        recovery.take_up_interrupted_runs([deployment])
    run, training = client.read_flow_run(run.id), client.read_task_run(training.id)
    limit = client.read_deployment(deployment).global_concurrency_limit
    client.delete_flow_run(run.id)
    is_due = run.state.is_scheduled() and run.next_scheduled_start_time <= datetime.now(UTC)
    return run.state.name, is_due, training.state.name, limit.active_slots

stopped = Cancelled(message="Runner is shutting down.")
with get_client(sync_client=True) as client:
    print(json.dumps([{cases}]))
"""

AT_ONCE = ["AwaitingRetry", True, "Crashed", 0]
LATER = ["AwaitingRetry", False, "Crashed", 0]

CASES = {
    "found_after([Pending()])": AT_ONCE,
    "found_after([Pending(), Running()])": AT_ONCE,
    "found_after([Pending(), Running(), Crashed()])": AT_ONCE,
    "found_after([Pending(), Running(), stopped])": AT_ONCE,
    # By a user, who does not want it.
    "found_after([Pending(), Running(), Cancelling()])": ["Cancelled", False, "Crashed", 0],
    "found_after([Pending(), Running(), Cancelled(message='by hand')])": [
        *("Cancelled", False, "Running", 0)
    ],
    "found_after([Pending(), Running(), Completed()])": ["Completed", False, "Running", 0],
    # Such as one that takes more memory than the machine has.
    "found_after([Pending(), Running(), Crashed()], starts=10)": ["Crashed", False, "Crashed", 0],
    "found_after([Pending(), Running(), Crashed()], hook=True)": LATER,
}


def test_a_run_that_was_cut_short_is_taken_up(server, own_deployments, home):
    """Also one that was killed while it was pending; its tasks end, and its slot is free."""
    program = PROGRAM.format(cases=", ".join(CASES))
    ended = forked_commands.python(program, {**os.environ, "PREFECT_API_URL": server})
    assert ended.status == 0, ended.err
    assert dict(zip(CASES, json.loads(ended.out), strict=True)) == CASES


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
