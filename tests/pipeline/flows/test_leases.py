"""A run whose Prefect server is away: its concurrency lease is lost, or its end is not heard."""

import os

import forked_commands
from processes import LIMIT

# The lease is renewed every 0.3 s, and released while the job works.
PROGRAM = """
import time
import prefect.concurrency._leases as leases
leases._RENEWAL_FRACTION = 0.001
from prefect.client.orchestration import get_client
from prefect.flow_engine import run_flow
from prefect.runner import Runner
from prefect.runtime import flow_run
from prefect.schedules import Cron
from prefect.states import Pending
from pipeline.flows import flows
from pipeline.flows.deployments import _deployment
from pipeline.jobs import ingestion

ingest = ingestion.ingest

def ingest_without_lease():
    state = client.read_flow_run(flow_run.get_id()).state
    lease = state.state_details.deployment_concurrency_lease_id
    client.release_concurrency_slots_with_lease(lease)
    time.sleep(3)
    return ingest()

ingestion.ingest = ingest_without_lease
deployment = Runner().add_deployment(_deployment(flows.ingest, Cron("0 3 1 1 *"), {}))
with get_client(sync_client=True) as client:
    run = client.create_flow_run_from_deployment(deployment)
    client.set_flow_run_state(run.id, Pending())
    run_flow(flows.ingest, flow_run=client.read_flow_run(run.id))
    print(client.read_flow_run(run.id).state.name)
"""


def test_a_run_goes_on_without_its_lease(server, own_deployments, sources):
    """Prefect by itself would end it, an hour's training included."""
    ended = forked_commands.python(PROGRAM, {**os.environ, "PREFECT_API_URL": server})
    assert (ended.status, ended.out.splitlines()[-1:]) == (0, ["Completed"]), ended.err
    assert "Concurrency lease renewal failed" in ended.err


# The server is away while the job works, and until the run waits for it.
AWAY = """
import time
from types import SimpleNamespace
from prefect.client.orchestration import get_client
from prefect.flow_engine import run_flow
from prefect.runner import Runner
from prefect.schedules import Cron
from prefect.settings import get_current_settings
from prefect.states import Pending
from tunnel import Tunnel
from pipeline.flows import flows, outages
from pipeline.flows.deployments import _deployment
from pipeline.flows.environment import use_server
from pipeline.jobs import ingestion

server = get_current_settings().api.url
tunnel = Tunnel(int(server.removesuffix("/api").rpartition(":")[2]))
use_server(f"http://127.0.0.1:{tunnel.port}/api")
ingest = ingestion.ingest

def ingest_without_server():
    tunnel.cut()
    time.sleep({away})
    return ingest()

def mend(_):
    if tunnel.is_cut:
        tunnel.mend()
    time.sleep(0.1)

ingestion.ingest = ingest_without_server
outages.time = SimpleNamespace(monotonic=time.monotonic, sleep=mend)
deployment = Runner().add_deployment(_deployment(flows.ingest, Cron("0 3 1 1 *"), {}))
with get_client(sync_client=True) as client:
    run = client.create_flow_run_from_deployment(deployment)
    client.set_flow_run_state(run.id, Pending())
    run_flow(flows.ingest, flow_run=client.read_flow_run(run.id))
    print(client.read_flow_run(run.id).state.message)
"""


def test_a_run_goes_on_while_the_server_is_away_and_waits_for_it_at_its_end(
    server, own_deployments, sources, torture
):
    """For ten minutes in `make torture`, in which its lease runs out."""
    program = AWAY.replace("{away}", "600" if torture else "1")
    environment = {**os.environ, "PREFECT_API_URL": server}
    ended = forked_commands.python(program, environment, limit=2 * LIMIT)
    assert (ended.status, ended.out.splitlines()[-1:]) == (0, ["MNIST is verified"]), ended.err
    assert "The Prefect server does not answer" in ended.err
