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
