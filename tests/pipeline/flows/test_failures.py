"""Messages about runs whose job could not tell how they ended."""

import json
import os

import forked_commands

# Runs that fail before their job begins, in their job, and that crash before and in it. Prints the
# ids of the runs, and of those that people are told of, with how they ended.
PROGRAM = """
import json, subprocess
from prefect.client.orchestration import get_client
from prefect.states import Crashed
from pipeline import open_registry
from pipeline.flows import flows
from pipeline.jobs import ingestion
from pipeline.monitoring import runs

ingest = ingestion.ingest

def failed(job):
    ingestion.ingest = job
    state = flows.ingest.with_options(retries=0)(return_state=True)
    return str(state.state_details.flow_run_id)

def crashed(begins):
    with get_client(sync_client=True) as client:
        run = client.create_flow_run(flows.ingest)
        if begins:
            with open_registry() as registry:
                # A process that is gone.
                registry.job_runs.begin("ingest", "999999999", str(run.id))
        state = Crashed(message="Process exited with status code: -9.")
        for hook in flows.ingest.on_crashed_hooks:
            hook(flow=flows.ingest, flow_run=run, state=state)
    return str(run.id)

def refused():
    raise ValueError("not valid")

@runs.recorded("ingest", lambda _: ("completed", ""))
def broken():
    raise ValueError("broken")

asked = [failed(refused), failed(broken), crashed(False), crashed(True)]
with open_registry() as registry:
    told = [[m.kind, m.body.get("run_id"), m.body.get("error")] for m in registry.messages.read()]
print(json.dumps([asked, told]))
"""


def test_people_are_told_once_of_every_run_that_failed_or_crashed(server, retrained):
    """Whether or not its job began, and whether or not its process could tell."""
    ended = forked_commands.python(PROGRAM, {**os.environ, "PREFECT_API_URL": server})
    assert ended.status == 0, ended.err
    asked, told = json.loads(ended.out.splitlines()[-1])
    kinds = ("job.failed", "job.failed", "job.crashed", "job.crashed")
    found = [tuple(message) for message in reversed(told) if message[0].startswith("job.")]
    assert [(kind, run_id) for kind, run_id, _ in found] == list(zip(kinds, asked, strict=True))
    reasons = [reason for _, _, reason in found]
    assert "not valid" in reasons[0]
    assert reasons[1:] == ["broken", "Process exited with status code: -9.", *reasons[3:]]
    assert reasons[3] == "Its process was killed."
