"""`digits automations apply`: what ends and starts again the runs of a machine that is lost."""

import os

import forked_commands
import pytest
from prefect_api import post
from processes import until

DEAD_RUNS = "digits: runs whose process died"
LOST_MACHINES = "digits: runs of lost machines start again"


# With the heartbeat of runs, which `digits_apart` stops.
APPLY = """
import sys
from pipeline.cli.app import main
sys.argv = ["digits", "automations", "apply"]
main()
"""


@pytest.fixture
def automations(server, home):
    """The automations by name, after the command, which has said what it created."""
    environment = {**os.environ, "PREFECT_API_URL": server}
    applied = [forked_commands.python(APPLY, environment) for _ in range(2)]
    assert [ended.status for ended in applied] == [0, 0], applied
    assert applied[1].out == "All exist already.\n"
    found = post(f"{server}/automations/filter", {"sort": "NAME_ASC"})
    ours = {each["name"]: each for each in found if each["name"].startswith("digits: ")}
    assert len(ours) == sum(each["name"].startswith("digits: ") for each in found)
    return ours


@pytest.mark.long
def test_they_are_created_once_and_know_our_final_states(automations):
    """A refusal counts as an end."""
    assert set(automations) == {DEAD_RUNS, LOST_MACHINES}
    dead = automations[DEAD_RUNS]
    trigger = dead["trigger"]
    assert (trigger["posture"], trigger["within"]) == ("Proactive", 3 * 180)
    ends = {name.removeprefix("prefect.flow-run.") for name in trigger["expect"]}
    finals = {"Completed", "Failed", "Crashed", "Cancelled", "TimedOut", "Rejected", "Unchanged"}
    assert ends > finals | {"heartbeat"}
    assert trigger["match_related"] == {"prefect.resource.id": "prefect.tag.digits"}
    (action,) = dead["actions"]
    assert (action["state"], action["message"]) == ("CRASHED", "No heartbeat for 9 minutes.")


# A run of ours crashes, with a message.
CRASH = """
from prefect.client.orchestration import get_client
from prefect.runner import Runner
from prefect.schedules import Cron
from prefect.states import Crashed, Pending, Running
from pipeline.flows import flows
from pipeline.flows.deployments import _deployment

deployment = Runner().add_deployment(_deployment(flows.retrain, Cron("0 3 1 1 *"), {}))
with get_client(sync_client=True) as client:
    run = client.create_flow_run_from_deployment(deployment)
    for state in (Pending(), Running(), Crashed(message="No heartbeat for 9 minutes.")):
        client.set_flow_run_state(run.id, state)
    print(run.id)
"""


def test_a_run_without_heartbeat_is_taken_up_again(server, own_deployments, automations):
    ended = forked_commands.python(CRASH, {**os.environ, "PREFECT_API_URL": server})
    assert ended.status == 0, ended.err
    query = {"flow_runs": {"id": {"any_": [ended.out.strip()]}}}

    def state():
        (run,) = post(f"{server}/flow_runs/filter", query)
        return run["state_name"]

    until(lambda: state() == "AwaitingRetry")


def test_without_a_server_or_a_heartbeat_the_command_says_so(digits_apart, server):
    ended = digits_apart("automations", "apply")
    assert ended.status == 1
    assert ended.err.startswith("Error: No Prefect server is set: set PREFECT_API_URL")
    ended = digits_apart("automations", "apply", PREFECT_API_URL=server)
    assert ended.status == 1
    assert ended.err.startswith("Error: Prefect's runs have no heartbeat here")
