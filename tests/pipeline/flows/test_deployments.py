"""prefect.yaml: the jobs on a work pool, with a worker process."""

import os
import subprocess
import sys
import time

import numpy as np
import pyarrow.parquet as pq
import pytest
import requests
from mnist_sample import DIRECTORY

from pipeline.images.encoding import png

FINAL = {"Completed", "Failed", "Crashed", "Cancelled"}
SUPPORT = DIRECTORY.parents[1] / "support"


@pytest.fixture
def prefect(sources, server, tmp_path, pytestconfig):
    """Start Prefect's command line, in the checkout."""
    environment = {
        **os.environ,
        "DIGITS_INBOX": str(tmp_path / "inbox"),
        "DIGITS_OUTBOX": str(tmp_path / "outbox"),
        "PREFECT_API_URL": server,
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
        "PYTHONPATH": f"{SUPPORT}:{SUPPORT / 'site'}",
    }

    def start(*arguments):
        return subprocess.Popen(
            [sys.executable, "-m", "prefect", "--no-prompt", *arguments],
            cwd=pytestconfig.rootpath,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


def test_a_worker_retrains_and_the_promotion_has_the_inbox_scored(
    prefect, server, nothing_deployed, tmp_path
):
    """The whole of prefect.yaml, from the work pool to the trigger of the inbox."""
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "1.png").write_bytes(png(np.full((28, 28), 200, np.uint8)))

    def ask(kind, **query):
        answer = requests.post(f"{server}/{kind}", json=query, timeout=30)
        # The server answers 503 while its SQLite database is busy with other writers.
        return answer.json() if answer.ok else None

    def wait(look):
        deadline = time.monotonic() + 150
        while not (found := look()):
            assert worker.poll() is None, worker.communicate()
            assert time.monotonic() < deadline, worker.kill() or worker.communicate()
            time.sleep(0.3)
        return found

    made = prefect("work-pool", "create", "digits", "--type", "process")
    out, _ = made.communicate(timeout=120)
    assert made.returncode == 0, out
    worker = prefect("worker", "start", "--pool", "digits")
    try:
        deployed = prefect("deploy", "--all")
        out, _ = deployed.communicate(timeout=120)
        assert deployed.returncode == 0, out
        flows = {flow["id"]: flow["name"] for flow in ask("flows/filter")}
        deployments = {flows[found["flow_id"]]: found for found in ask("deployments/filter")}
        assert set(deployments) == {"retrain", "ingest", "score-inbox"}
        # The schedule would look into the inbox by itself.
        ask(f"deployments/{deployments['score-inbox']['id']}/pause_deployment")
        parameters = {"preset": "quick", "min_accuracy": 0.3}
        create = f"deployments/{deployments['retrain']['id']}/create_flow_run"
        run = wait(lambda: ask(create, parameters=parameters))
        run = wait(lambda: _ended(ask, flow_runs={"id": {"any_": [run["id"]]}}))
        assert (run["state_name"], run["state"]["message"]) == ("Completed", "mnist/1 promoted")
        scored = deployments["score-inbox"]["id"]
        run = wait(lambda: _ended(ask, deployments={"id": {"any_": [scored]}}))
        assert (run["state_name"], run["state"]["message"]) == ("Completed", "1 files scored")
        assert run["created_by"]["type"] == "AUTOMATION"
    finally:
        worker.terminate()
        worker.communicate(timeout=60)
    (batch,) = (tmp_path / "outbox").glob("2*")
    (row,) = pq.read_table(batch / "predictions").to_pylist()
    assert (row["path"], row["model_version"]) == ("1.png", 1)
    assert (batch / "images" / "1.png").exists()


def _ended(ask, **query):
    runs = ask("flow_runs/filter", **query) or []
    return next((run for run in runs if run["state_name"] in FINAL), None)
