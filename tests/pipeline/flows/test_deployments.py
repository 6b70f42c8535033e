"""prefect.yaml: the jobs on a work pool, with a worker process."""

import ast
import os
import re
import shutil
import subprocess
import sys

import forked_commands
import numpy as np
import pyarrow.parquet as pq
import pytest
import yaml
from prefect_api import post
from processes import stop, until

from pipeline.images.encoding import png
from pipeline.settings import Settings, Thresholds

FINAL = {"Completed", "Failed", "Crashed", "Cancelled", "NothingScored"}


@pytest.fixture
def environment(environment_apart, server, tmp_path):
    """The environment of Prefect's command line."""
    return {
        **environment_apart,
        "DIGITS_GATE__MIN_ACCURACY": "0.3",
        "DIGITS_INBOX": str(tmp_path / "inbox"),
        "DIGITS_OUTBOX": str(tmp_path / "outbox"),
        "PREFECT_API_URL": server,
        "PREFECT_HOME": str(tmp_path / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_WORKER_QUERY_SECONDS": "1",
    }


@pytest.fixture
def work_pool(environment, server):
    """A work pool for processes."""
    made = forked_commands.prefect(
        ["work-pool", "create", "digits", "--type", "process", "--overwrite"], environment
    )
    assert made.status == 0, made.err


@pytest.fixture
def worker(environment, work_pool, pytestconfig):
    """A worker of the work pool. Asked to end, it may take a minute: it is killed."""
    process = subprocess.Popen(
        [sys.executable, "-m", "prefect", "worker", "start", "--pool", "digits"],
        cwd=pytestconfig.rootpath,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    yield process
    stop(process)


def test_no_deployment_fixes_what_a_setting_governs(pytestconfig):
    """A parameter of a deployment overrules the settings of the worker, silently."""
    deployments = yaml.safe_load((pytestconfig.rootpath / "prefect.yaml").read_text())
    governed = Settings.model_fields.keys() | Thresholds.model_fields.keys()
    for deployment in deployments["deployments"]:
        assert not governed & deployment.get("parameters", {}).keys()


def test_a_pool_of_containers_has_the_same_deployments(pytestconfig):
    """All but the pool, and the boxes, which are where the containers have them."""
    places = ("prefect.yaml", "deploy/docker-pool.yaml")
    plain, docker = (
        yaml.safe_load((pytestconfig.rootpath / place).read_text())["deployments"]
        for place in places
    )
    for deployment in (*plain, *docker):
        del deployment["work_pool"]
        deployment.pop("build", None)
        deployment["parameters"] = sorted(deployment.get("parameters", {}))
    assert plain == docker


def test_a_server_of_a_team_is_set_up_as_our_own_is(pytestconfig, home):
    """Leases on disk, and runs for a month."""
    deploy = pytestconfig.rootpath / "deploy"
    services = yaml.safe_load((deploy / "compose.pool.yaml").read_text())["services"]
    unit = (deploy / "systemd" / "digits-prefect.service").read_text()
    program = (
        "import os; from pipeline.flows.environment import set_defaults;"
        "from pipeline.settings import load_settings;"
        "set_defaults(load_settings(), console_level='INFO'); print(dict(os.environ))"
    )
    ours = ast.literal_eval(forked_commands.python(program, os.environ).out)
    names = {
        name for name in ours if name.startswith("PREFECT_SERVER_") and "SERVICES_LATE" not in name
    }
    for name in names - {"PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS"}:
        assert services["server"]["environment"][name] == ours[name]
        assert f"{name}={ours[name]}" in unit


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_the_units_of_systemd_are_valid(pytestconfig, tmp_path):
    units = sorted((pytestconfig.rootpath / "deploy" / "systemd").glob("*.service"))
    for unit in units:
        # The programs are not installed there.
        text = re.sub(r"/opt/digits/bin/\w+", sys.executable, unit.read_text())
        (tmp_path / unit.name).write_text(text)
    command = ["systemd-analyze", "verify", *(str(tmp_path / unit.name) for unit in units)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_without_an_inbox_nothing_is_deployed(environment, work_pool, own_deployments, server):
    """Prefect by itself would warn, and deploy a flow whose runs all fail."""
    del environment["DIGITS_OUTBOX"]
    deployed = forked_commands.prefect(["deploy", "--all"], environment)
    assert deployed.status == 1
    assert "Error: DIGITS_INBOX and DIGITS_OUTBOX must name directories" in deployed.err
    assert "Traceback" not in deployed.out + deployed.err
    assert post(f"{server}/deployments/filter", {}) == []


@pytest.mark.long
def test_a_worker_retrains_and_the_promotion_has_the_inbox_scored(
    environment, worker, server, own_deployments, tmp_path
):
    """The whole of prefect.yaml, from the work pool to the trigger of the inbox."""
    (tmp_path / "inbox").mkdir()
    image = np.zeros((28, 28), np.uint8)
    image[5:23, 13:16] = 250
    (tmp_path / "inbox" / "1.png").write_bytes(png(image))

    def ask(kind, **query):
        return post(f"{server}/{kind}", query)

    deployed = forked_commands.prefect(["deploy", "--all"], environment)
    assert deployed.status == 0, deployed.err
    flows = {flow["id"]: flow["name"] for flow in ask("flows/filter")}
    deployments = {flows[found["flow_id"]]: found for found in ask("deployments/filter")}
    assert set(deployments) == {"retrain", "ingest", "score-inbox"}
    # The schedule would look into the inbox by itself.
    ask(f"deployments/{deployments['score-inbox']['id']}/pause_deployment")
    # The gate is the worker's own, from its settings.
    parameters = {"preset": "quick"}
    create = f"deployments/{deployments['retrain']['id']}/create_flow_run"
    run = ask(create, parameters=parameters)
    run = until(lambda: _ended(ask, flow_runs={"id": {"any_": [run["id"]]}}), worker)
    assert (run["state_name"], run["state"]["message"]) == ("Completed", "mnist/1 promoted")
    scored = deployments["score-inbox"]["id"]
    run = until(lambda: _ended(ask, deployments={"id": {"any_": [scored]}}), worker)
    assert (run["state_name"], run["state"]["message"]) == ("Completed", "1 file scored")
    assert run["created_by"]["type"] == "AUTOMATION"
    (batch,) = (tmp_path / "outbox").glob("2*")
    assert run["name"] == f"score-inbox {batch.name}: 1 file scored with mnist/1"
    # Too few images to say that something has changed.
    (artifact,) = ask("artifacts/filter", artifacts={"flow_run_id": {"any_": [run["id"]]}})
    assert "# Scored 1 file with `mnist/1`" in artifact["data"]
    assert "data:image" not in artifact["data"]
    (row,) = pq.read_table(batch / "predictions").to_pylist()
    assert (row["path"], row["model_version"]) == ("1.png", 1)
    assert (batch / "images" / "1.png").exists()


def _ended(ask, **query):
    runs = ask("flow_runs/filter", **query)
    return next((run for run in runs if run["state_name"] in FINAL), None)
