"""The jobs as Prefect flows: with a real server, and without one."""

import base64
import json
import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET
from urllib.parse import urlsplit

import forked_commands
import numpy as np
import psutil
import pyarrow.parquet as pq
import pytest
import requests
import web_mirror
from mnist_sample import SAMPLE, gzipped
from prefect_api import post
from processes import LIMIT, until
from tunnel import Tunnel

from pipeline import open_registry, sample, status
from pipeline.flows.server import free_port
from pipeline.images.encoding import png

FINAL = {"Completed", "Failed", "Crashed"}
ANALYTICS = {"PREFECT_SERVER_ANALYTICS_ENABLED": "true"}
RETRAIN = ("retrain", "--preset", "quick", "--min-accuracy", "0.3")


@pytest.fixture
def ask(server):
    """Ask the server for records, by kind and field."""

    def ask(kind, **fields):
        wanted = {name: {"any_": [value]} for name, value in fields.items()}
        return post(f"{server}/{kind}/filter", {kind: wanted, "sort": None})

    return ask


@pytest.fixture
def on_server(digits_apart, server):
    """A command whose flows run against the server."""

    def run(*arguments, **variables):
        return digits_apart(*arguments, PREFECT_API_URL=server, **variables)

    return run


def _flow_run(ask, run_id):
    (run,) = ask("flow_runs", id=run_id)
    return run


def _artifact(ask, run_id, key="retraining"):
    (artifact,) = (a for a in ask("artifacts", flow_run_id=run_id) if a["key"] == key)
    return artifact


def test_a_retraining_is_a_flow_run_with_its_tasks_and_an_artifact(on_server, ask, server, home):
    ended = on_server(*RETRAIN)
    assert ended.status == 0, ended.err
    assert "mnist/1 promoted" in ended.out
    assert "Starting a Prefect server" not in ended.err
    with open_registry() as registry:
        version = registry.get("mnist@champion")

    run = _flow_run(ask, version.run_id)
    assert (run["state_type"], run["state_name"]) == ("COMPLETED", "Completed")
    assert run["state"]["message"] == "mnist/1 promoted"
    assert run["name"] == "retrain quick: mnist/1 promoted"
    assert run["parameters"]["preset"] == "quick"
    artifact = _artifact(ask, version.run_id)
    assert artifact["type"] == "markdown"
    assert "# Retraining: `mnist/1` promoted" in artifact["data"]
    assert version.sha256 in artifact["data"]
    progress = _artifact(ask, version.run_id, "retraining-progress")
    assert (progress["type"], progress["data"]) == ("progress", 100)
    assert re.fullmatch(r"Train, validation accuracy 0\.\d{4}", progress["description"])
    assert "Train: 100%" in ended.err
    assert not (home / "prefect").exists()
    _check_assets(server, version)


def _check_assets(server, version):
    """The run made the data, and of it the version."""
    made = "prefect.asset.materialization.succeeded"
    data, model = sorted(
        until(lambda: _events(server, made, version.run_id, 2)),
        key=lambda event: event["resource"]["prefect.resource.id"],
    )
    assert data["resource"]["prefect.resource.id"] == "digits://data/mnist"
    files = {name: sha256 for part in data["payload"].values() for name, sha256 in part.items()}
    assert files == {file.name: file.sha256 for file in SAMPLE.files}
    assert model["resource"]["prefect.resource.id"] == "digits://models/mnist"
    assert model["payload"]["version"] == version.reference
    assert model["payload"]["sha256"] == version.sha256
    assert model["payload"]["inputs"] == dict(version.inputs)
    assert "digits://data/mnist" in {each["prefect.resource.id"] for each in model["related"]}


def test_progress_without_a_reachable_server_is_one_warning():
    script = (
        "import warnings; from pipeline.flows.progress_artifacts import ProgressArtifact;"
        "warnings.simplefilter('ignore'); listener = ProgressArtifact('progress');"
        "[listener('Train', epoch, 3, '') for epoch in range(4)]"
    )
    nobody = {**os.environ, "PREFECT_API_URL": f"http://127.0.0.1:{free_port()}/api"}
    ended = forked_commands.python(script, nobody)
    assert ended.status == 0, ended.err
    assert ended.err.count("Progress is no longer sent") == 1


def test_a_refusal_is_the_completed_state_rejected(on_server, ask, server, home):
    ended = on_server("retrain", "--preset", "quick", "--min-accuracy", "1")
    assert ended.status == 3
    assert re.search(r"Refused: validation_accuracy 0\.\d{4} < 1\.0000", ended.err)
    with open_registry() as registry:
        assert registry.versions() == []
    (record,) = (home / "runs").iterdir()
    run = _flow_run(ask, record.name)
    assert (run["state_type"], run["state_name"]) == ("COMPLETED", "Rejected")
    assert "< 1.0000" in run["state"]["message"]
    assert run["name"] == "retrain quick: refused"
    assert "**failed**" in _artifact(ask, record.name)["data"]
    event = _event(server, "digits.model.refused", record.name)
    assert event["payload"]["reason"] == run["state"]["message"]
    failed = [check["name"] for check in event["payload"]["checks"] if not check["passed"]]
    assert failed == ["validation_accuracy"]


@pytest.mark.long
def test_a_task_is_retried_while_the_network_is_down(on_server, ask, monkeypatch):
    """The attempts of the download run out; Prefect's retry of the task succeeds."""
    files = {f"{file.name}.gz": gzipped(file) for file in SAMPLE.files}
    down = web_mirror.at_first(5, web_mirror.always(503))
    with web_mirror.mirror(files, down) as mirror:
        ended = on_server(*RETRAIN, DIGITS_MIRRORS=mirror.url)
    assert ended.status == 0, ended.err
    with open_registry() as registry:
        run_id = registry.get("mnist@champion").run_id
    runs = {run["name"].split("-")[0]: run["run_count"] for run in _task_runs(ask, run_id, 8)}
    assert runs.pop("download") == 2
    assert set(runs.values()) == {1}
    assert set(runs) == {
        "convert",
        "find_champion",
        "train",
        "judge",
        "register",
        "promote_version",
        "conclude",
    }


def _task_runs(ask, run_id, count):
    def ended():
        # Task runs reach the server as events, a little after the fact.
        runs = [run for run in ask("task_runs") if run["flow_run_id"] == run_id]
        is_complete = len(runs) == count and all(run["state_name"] in FINAL for run in runs)
        return is_complete and runs

    return until(ended)


def test_a_permanent_failure_is_one_message_and_not_retried(on_server, ask, tmp_path):
    seen = {run["id"] for run in ask("flow_runs")}
    ended = on_server(*RETRAIN, DIGITS_MIRRORS=str(tmp_path / "gone"))
    assert ended.status == 1
    assert "Error: No mirror delivers train-images-idx3-ubyte:" in ended.err
    assert "Traceback" not in ended.err
    # The server may have scheduled runs of another test's deployments meanwhile.
    (run,) = (run for run in ask("flow_runs") if run["id"] not in seen and not run["deployment_id"])
    assert run["state_name"] == "Failed"
    (task,) = _task_runs(ask, run["id"], 1)
    assert (task["state_name"], task["run_count"]) == ("Failed", 1)


def test_a_scoring_is_a_flow_run_with_an_artifact(retrained, on_server, ask, tmp_path):
    sample(30, tmp_path / "in")
    (tmp_path / "in" / "bad.png").write_text("no image")
    ended = on_server("score", tmp_path / "in", "--output", tmp_path / "out")
    assert ended.status == 0, ended.err
    assert "1 not scored: not an image" in ended.out
    rows = pq.read_table(tmp_path / "out" / "predictions").to_pylist()
    assert len(rows) == 31
    (artifact,) = ask("artifacts", key="scoring")
    run = _flow_run(ask, artifact["flow_run_id"])
    assert run["name"] == "score out: 31 files scored with mnist/1"
    assert "# Scored 31 files with `mnist/1`" in artifact["data"]
    assert "| not an image | 1 |" in artifact["data"]
    assert re.search(r"31 files in \d+\.\d s \([\d,.]+ a second\)", artifact["data"])
    pictures = _pictures(artifact["data"])
    assert list(pictures) == ["Images by confidence", "Confusion matrix"]
    # Whole, as the server gave them back.
    for picture in pictures.values():
        assert ET.fromstring(picture).tag.endswith("svg")
    ended = on_server("score", tmp_path / "in" / "bad.png", "--output", tmp_path / "bad")
    assert ended.status == 1
    run = next(run for run in ask("flow_runs") if run["name"].startswith("score bad:"))
    assert run["state_name"] == "NothingScored"
    assert "no image of 1 file got a prediction: 1 not an image" in run["state"]["message"]


def _pictures(markdown):
    found = re.findall(r"!\[(.*)\]\(data:image/svg\+xml;base64,(.*)\)", markdown)
    return {title: base64.b64decode(encoded, validate=True) for title, encoded in found}


@pytest.fixture
def dask_cluster(server, home):
    """A Dask scheduler and two worker processes; the scheduler's address and the workers."""
    port = free_port()
    dask = [sys.executable, "-m", "dask"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environment = {**os.environ, "PREFECT_API_URL": server}
    here = ["--host", "127.0.0.1", "--no-dashboard"]
    scheduler = subprocess.Popen([*dask, "scheduler", *here, "--port", str(port)], **quiet)
    worker = [*dask, "worker", f"tcp://127.0.0.1:{port}", *here, "--no-nanny", "--nthreads", "1"]
    workers = [subprocess.Popen(worker, env=environment, **quiet) for _ in range(2)]
    yield f"dask://127.0.0.1:{port}", workers
    # Asked to end, a worker may wait for Prefect's threads; there is nothing to wait for.
    for process in (*workers, scheduler):
        process.kill()
        process.wait()


@pytest.mark.long
def test_a_scoring_on_dask_survives_the_loss_of_a_worker(
    retrained, start_digits, digits_apart, server, dask_cluster, tmp_path
):
    """Every file has one row, equal to that of a run without Prefect."""
    address, workers = dask_cluster
    sample(100, tmp_path / "sample")
    source = tmp_path / "in"
    for copy in range(160):
        (source / f"copy {copy}").mkdir(parents=True)
        for image in (tmp_path / "sample").glob("*.png"):
            os.link(image, source / f"copy {copy}" / image.name)
    running = start_digits(
        *("score", source, "--output", tmp_path / "out"),
        PREFECT_API_URL=server,
        DIGITS_TASK_RUNNER=address,
    )
    parts = tmp_path / "out" / "predictions"
    while running.poll() is None and not list(parts.glob("part-*")):
        time.sleep(0.02)
    assert running.poll() is None
    workers[0].kill()
    out, err = running.communicate(timeout=LIMIT)
    assert running.returncode == 0, err
    assert "16,000 files in" in out
    assert digits_apart("score", source, "--output", tmp_path / "alone", "--direct").status == 0
    expected = pq.read_table(tmp_path / "alone" / "predictions")
    assert pq.read_table(parts).equals(expected)
    assert expected.num_rows == 16_000


@pytest.mark.long
def test_without_a_server_a_flow_runs_and_serve_starts_one(start_digits, home):
    """Everything they leave is under DIGITS_HOME, Prefect's own files included."""
    user = home.parent / "user"
    user.mkdir()
    process = start_digits(*RETRAIN, HOME=str(user))
    out, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, err
    assert "Starting a Prefect server for this run" in err
    assert "mnist/1 promoted" in out
    assert (home / "prefect" / "prefect.db").exists()

    port = free_port()
    # This profile names no server.
    variables = {"HOME": str(user), "PREFECT_PROFILE": "ephemeral"}
    variables["PREFECT_RUNNER_POLL_FREQUENCY"] = "1"
    process = start_digits("serve", "--port", port, **variables)

    def served():
        try:
            url = f"http://127.0.0.1:{port}/api/deployments/filter"
            found = requests.post(url, json={}, timeout=LIMIT).json()
        except requests.ConnectionError:
            return None
        # Without an inbox there is nothing to score.
        polled = [deployment for deployment in found if deployment["last_polled"]]
        return polled if len(polled) == 2 else None

    deployments = until(served, process)
    assert {deployment["name"] for deployment in deployments} == {"scheduled"}
    # It outlives its server, which is away for more polls than Prefect's own runner stands.
    (prefects,) = psutil.Process(process.pid).children()
    prefects.kill()
    psutil.wait_procs([prefects], timeout=LIMIT)
    until(served, process)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, err
    assert f"Its pages are at http://127.0.0.1:{port}." in err
    assert err.count("The Prefect server ended with status -9 and is started again") == 1
    assert "Failed the last 3 attempts" not in err
    with pytest.raises(requests.ConnectionError):
        requests.get(f"http://127.0.0.1:{port}/api/health", timeout=LIMIT)
    assert [path for path in user.rglob("*") if path.is_file()] == []


@pytest.mark.long
def test_serve_runs_the_jobs_on_their_schedules_until_it_is_stopped(
    webhook, start_digits, digits_apart, ask, server, own_deployments, home, tmp_path
):
    """Each run has its own process; runs that have not ended are cancelled."""
    inbox, outbox = tmp_path / "inbox", tmp_path / "outbox"
    inbox.mkdir()
    port = free_port()
    process = start_digits(
        *("serve", "--cron", "0 3 * * *", "--preset", "quick", "--min-accuracy", "0.3"),
        *("--inbox", inbox, "--outbox", outbox, "--every", "3600"),
        *("--metrics", f"127.0.0.1:{port}"),
        PREFECT_API_URL=server,
        PREFECT_RUNNER_POLL_FREQUENCY="1",
    )
    served = until(lambda: _deployments(ask), process)
    assert set(served) == {"retrain", "ingest", "score-inbox"}
    retrain, scoring = served["retrain"], served["score-inbox"]
    assert retrain["schedules"][0]["schedule"]["cron"] == "0 3 * * *"
    assert served["ingest"]["schedules"][0]["schedule"]["cron"] == "0 2 * * *"
    assert scoring["schedules"][0]["schedule"]["interval"] == 3600
    assert retrain["parameters"]["preset"] == "quick"
    for name, deployment in served.items():
        strategy = "CANCEL_NEW" if name == "score-inbox" else "ENQUEUE"
        assert deployment["concurrency_options"]["collision_strategy"] == strategy
        assert deployment["global_concurrency_limit"]["limit"] == 1
    run = _ask_for_a_run(server, retrain)
    assert until(lambda: _finished(ask, run["id"]), process)["state_name"] == "Completed"
    _check_what_operators_see(webhook, port, run["id"])
    # A second one would rewrite the schedules.
    second = digits_apart("serve", PREFECT_API_URL=server)
    assert (second.status, f"Another `digits serve` runs under {home}." in second.err) == (1, True)

    (inbox / "new.png").write_bytes(png(np.full((28, 28), 200, np.uint8)))
    never = _ask_for_a_run(server, scoring, settle=3600)
    until(lambda: _flow_run(ask, never["id"])["state_name"] == "Running", process)
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, err
    assert "never awaited" not in err
    assert _flow_run(ask, never["id"])["state_name"] == "Cancelled"
    assert (inbox / "new.png").exists()
    assert not any(deployment["paused"] for deployment in _deployments(ask).values())
    assert len(_automations(server)) == 1
    with open_registry() as registry:
        version = registry.get("mnist@champion")
    assert version.run_id == run["id"]
    event = _event(server, "digits.model.promoted", run["id"])
    assert event["resource"]["prefect.resource.id"] == "digits.model.mnist"
    assert event["payload"] == {
        "version": "mnist/1",
        "sha256": version.sha256,
        "metrics": dict(version.metrics),
        "from": None,
    }


def _check_what_operators_see(webhook, port, run_id):
    """The retraining is recorded, told, and counted."""
    known = status()
    (retrain,) = [job for job in known.jobs if job.job == "retrain"]
    assert (retrain.last_success.run_id, retrain.last_failure) == (run_id, None)
    assert (retrain.next_run.hour, retrain.next_run.minute) == (3, 0)
    assert {job.job for job in known.jobs} == {"retrain", "ingest", "score-inbox"}
    assert known.problems == known.waiting == ()
    ((_, body),) = webhook.requests
    assert json.loads(body)["data"]["version"] == "mnist/1"
    page = requests.get(f"http://127.0.0.1:{port}/metrics", timeout=LIMIT).text
    assert 'digits_champion_info{sha256="' in page


def _automations(server):
    """The automations for dead runs."""
    automations = post(f"{server}/automations/filter", {"sort": "NAME_ASC"})
    return [found for found in automations if found["name"] == "digits: runs whose process died"]


def test_an_empty_inbox_parameter_is_not_the_working_directory(home):
    program = "from pipeline.flows import flows; flows.score_inbox.validate_parameters({!r})"
    parameters = {"inbox": "", "outbox": "/outbox"}
    ended = forked_commands.python(program.format(parameters), os.environ)
    assert ended.status == 1
    assert "inbox" in ended.err
    assert "expected an absolute path" in ended.err


UNKNOWN_TASK_RUNNER = (
    "DIGITS_TASK_RUNNER: expected threads, processes, dask or dask://HOST:PORT, got 'bogus'."
)


def test_an_unknown_task_runner_concerns_only_the_flows_that_use_one(on_server, ask, tmp_path):
    """Ingestion and retraining work; a scoring is one message, on the server too."""
    bogus = {"DIGITS_TASK_RUNNER": "bogus"}
    assert on_server("ingest", **bogus).status == 0
    ended = on_server(*RETRAIN, **bogus)
    assert (ended.status, "mnist/1 promoted" in ended.out) == (0, True), ended.err
    sample(3, tmp_path / "in")
    score = ("score", tmp_path / "in", "--output", tmp_path / "out")
    ended = on_server(*score, **bogus)
    assert (ended.status, ended.err) == (2, f"Error: {UNKNOWN_TASK_RUNNER}\n")
    assert on_server(*score, "--direct", **bogus).status == 0


def test_an_unknown_task_runner_fails_a_scoring_run_with_one_message(server, ask, home, tmp_path):
    """Also a run that a schedule starts, which no command line has checked."""
    program = (
        "from pathlib import Path; from pipeline.flows import flows;"
        f"flows.score([{str(tmp_path)!r}], Path({str(tmp_path)!r}) / 'out')"
    )
    environment = {**os.environ, "PREFECT_API_URL": server, "DIGITS_TASK_RUNNER": "bogus"}
    ended = forked_commands.python(program, environment)
    assert ended.status == 1
    assert f"SettingsError: {UNKNOWN_TASK_RUNNER}" in ended.err
    (run,) = [run for run in ask("flow_runs") if str(tmp_path) in str(run["parameters"])]
    assert (run["state_name"], UNKNOWN_TASK_RUNNER in run["state"]["message"]) == ("Failed", True)


def _event(server, name, run_id):
    """The event of a name that a run gave."""
    (event,) = until(lambda: _events(server, name, run_id))
    return event


def _events(server, name, run_id, count=1):
    """The events of a name that a run gave, if there are so many yet.

    They reach the server's database a little after the fact.
    """
    query = {
        "event": {"name": [name]},
        "related": {"id": [f"prefect.flow-run.{run_id}"]},
    }
    events = post(f"{server}/events/filter", {"filter": query})["events"]
    return events if len(events) >= count else []


def _ask_for_a_run(server, deployment, **parameters):
    url = f"{server}/deployments/{deployment['id']}/create_flow_run"
    return post(url, {"parameters": parameters})


def _deployments(ask):
    """The deployments by the name of their flow; None until there are three."""
    flows = {flow["id"]: flow["name"] for flow in ask("flows")}
    found = {flows[deployment["flow_id"]]: deployment for deployment in ask("deployments")}
    return found if len(found) == 3 else None


def _finished(ask, run_id):
    run = _flow_run(ask, run_id)
    return run if run["state_name"] in FINAL else None


@pytest.mark.parametrize("command", [("serve",), RETRAIN])
def test_a_server_that_does_not_answer_is_one_message(digits_apart, home, command):
    nobody = f"http://127.0.0.1:{free_port()}/api"
    ended = digits_apart(*command, PREFECT_API_URL=nobody)
    assert ended.status == 1
    assert f"Error: No Prefect server answers at {nobody}" in ended.err
    assert "Traceback" not in ended.err


def test_a_profile_of_prefect_names_the_server(start_digits, server, ask, home, tmp_path):
    """As `prefect config set PREFECT_API_URL=…` writes it."""
    (tmp_path / ".prefect").mkdir()
    profile = f'active = "team"\n[profiles.team]\nPREFECT_API_URL = "{server}"\n'
    (tmp_path / ".prefect" / "profiles.toml").write_text(profile)
    process = start_digits(*RETRAIN, HOME=str(tmp_path))
    _, err = process.communicate(timeout=LIMIT)
    assert (process.returncode, "Starting a Prefect server" in err) == (0, False), err
    with open_registry() as registry:
        run = _flow_run(ask, registry.get("mnist@champion").run_id)
    assert run["state_name"] == "Completed"
    assert not (home / "prefect" / "prefect.db").exists()


def test_serve_stops_if_it_was_asked_to_before_prefect_listens(server, own_deployments, home):
    """The exit of a signal handler is lost if it is raised in a destructor."""
    program = (
        "import threading; from prefect.schedules import Cron;"
        "from pipeline.flows import deployments; stop = threading.Event(); stop.set();"
        # On a busy machine it would be killed before it has stopped by itself.
        f"deployments._STOP_LIMIT = {LIMIT}; never = Cron('0 3 1 1 *');"
        "deployments.serve(never, {}, ingest=never, stop=stop); print('stopped')"
    )
    ended = forked_commands.python(program, {**os.environ, "PREFECT_API_URL": server})
    assert (ended.status, "stopped" in ended.out) == (0, True), ended.err


@pytest.mark.long
def test_serve_looks_at_once_and_ends_in_time_though_its_server_is_silent(
    start_digits, ask, server, own_deployments, retrained, tmp_path
):
    """Docker kills a container after ten seconds; Prefect would wait for minutes."""
    tunnel = Tunnel(urlsplit(server).port)
    boxes = ("--inbox", tmp_path / "inbox", "--outbox", tmp_path / "outbox")
    (tmp_path / "inbox").mkdir()
    (tmp_path / "inbox" / "new.png").write_bytes(png(np.full((28, 28), 200, np.uint8)))
    process = start_digits(
        *("serve", *boxes, "--every", "3600"),
        PREFECT_API_URL=f"http://127.0.0.1:{tunnel.port}/api",
        PREFECT_RUNNER_POLL_FREQUENCY="1",
    )
    scoring = until(lambda: _deployments(ask), process)["score-inbox"]
    until(lambda: list((tmp_path / "outbox").glob("2*/summary.json")), process)
    with open_registry() as registry:
        # It was no run of a flow.
        assert registry.job_runs.read("score-inbox")[-1].run_id is None
    (tmp_path / "inbox" / "next.png").write_bytes(png(np.full((28, 28), 200, np.uint8)))
    run = _ask_for_a_run(server, scoring, settle=3600)
    until(lambda: _flow_run(ask, run["id"])["state_name"] == "Running", process)
    children = psutil.Process(process.pid).children(recursive=True)
    tunnel.fall_silent()
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=100)
    assert process.returncode == 0, err
    psutil.wait_procs(children, timeout=LIMIT)
    assert [child for child in children if child.is_running()] == []


def test_serve_refuses_invalid_options(digits_apart, server, tmp_path):
    ended = digits_apart("serve", "--inbox", tmp_path)
    assert ended.status == 2
    assert "--inbox and --outbox must be given together" in ended.err
    ended = digits_apart("serve", "--inbox", tmp_path / "none", "--outbox", tmp_path / "out")
    assert ended.status == 2
    assert "expected a directory as the inbox, got nothing there" in ended.err
    port = urlsplit(server).port
    ended = digits_apart("serve", "--port", port)
    assert ended.status == 1
    assert f"Error: Port {port} is taken." in ended.err


def test_an_embedded_server_keeps_leases_on_disk_runs_for_a_month_and_events_for_two_days(home):
    program = (
        "from pipeline.flows.environment import set_defaults;"
        "from pipeline.settings import load_settings;"
        "set_defaults(load_settings(), console_level='INFO');"
        "from prefect.settings import get_current_settings; server = get_current_settings().server;"
        "vacuum = server.services.db_vacuum;"
        "print(server.concurrency.lease_storage, sorted(vacuum.enabled_vacuum_types),"
        " vacuum.retention_period.days, server.events.retention_period.days,"
        " server.services.late_runs.enabled)"
    )
    ended = forked_commands.python(program, os.environ)
    kept = "prefect.server.concurrency.lease_storage.filesystem ['events', 'flow_runs', 'orphans']"
    assert (ended.status, ended.out) == (0, f"{kept} 30 2 False\n"), ended.err


@pytest.mark.parametrize(("given", "expected"), [({}, "1 false"), (ANALYTICS, "1 true")])
def test_there_is_no_telemetry_unless_the_user_asks_for_it(home, given, expected):
    program = (
        "import os; from pipeline.flows.environment import set_defaults;"
        "from pipeline.settings import load_settings;"
        "set_defaults(load_settings(), console_level='INFO');"
        "print(os.environ['DO_NOT_TRACK'], os.environ['PREFECT_SERVER_ANALYTICS_ENABLED'])"
    )
    names = {"DO_NOT_TRACK", "PREFECT_SERVER_ANALYTICS_ENABLED"}
    environment = {name: value for name, value in os.environ.items() if name not in names}
    ended = forked_commands.python(program, {**environment, **given})
    assert (ended.status, ended.out) == (0, f"{expected}\n"), ended.err


def test_prefect_is_not_imported_by_the_tests_themselves():
    """Otherwise settings of this process could reach the flows above."""
    assert "prefect" not in sys.modules
