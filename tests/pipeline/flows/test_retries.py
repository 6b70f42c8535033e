"""Which failed runs are tried again."""

import json
import os

import forked_commands

# A job that fails in given ways, one after the other, and then no more. Prints the state of its
# run, and how often it was started; and of other failures, whether their cause may pass.
PROGRAM = """
import json
from prefect.client.orchestration import get_client
from pipeline.errors import Failure, InputError, NoMirrorLeftError, WorkerError
from pipeline.flows import flows
from pipeline.flows.retries import may_pass
from pipeline.jobs import ingestion
from registry import MissingBlobError, UnavailableError

ingest = ingestion.ingest

def ended(*errors):
    left = list(errors)

    def fail():
        if left:
            raise left.pop(0)
        return ingest()

    ingestion.ingest = fail
    flow = flows.ingest.with_options(retry_delay_seconds=0)
    state = flow(return_state=True)
    with get_client(sync_client=True) as client:
        run = client.read_flow_run(state.state_details.flow_run_id)
    return [state.name, run.run_count]

away = UnavailableError("The database does not answer.")
runs = [ended(away), ended(away, away, away), ended(InputError("No such file."))]

def no_mirror(*transient):
    return NoMirrorLeftError("file", [Failure("mirror", "reason", each) for each in transient])

passing = [no_mirror(False, True), WorkerError(), OSError(28, "No space left on device")]
lasting = [no_mirror(False), MissingBlobError("0", "blobs"), FileNotFoundError(), ValueError()]
print(json.dumps([runs, *([may_pass(each) for each in errors] for errors in (passing, lasting))]))
"""


def test_a_flow_is_tried_again_only_if_the_cause_may_pass(server, sources):
    ended = forked_commands.python(PROGRAM, {**os.environ, "PREFECT_API_URL": server})
    assert ended.status == 0, ended.err
    runs, passing, lasting = json.loads(ended.out.splitlines()[-1])
    assert runs == [["Completed", 2], ["Failed", 3], ["Failed", 1]]
    assert (passing, lasting) == ([True] * 3, [False] * 4)
