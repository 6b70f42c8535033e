"""What an operator is told."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families
from receivers import SECRET
from registry_contents import DRIFTED_BATCH

from pipeline import load_settings, open_registry, status
from pipeline.jobs.status import NEXT_RUNS
from pipeline.monitoring.runs import is_alive, recorded, running_as, this_process
from pipeline.monitoring.watching import watch


def _run(job, outcome, message=None):
    with open_registry() as registry:
        registry.job_runs.end(registry.job_runs.begin(job, this_process()), outcome, message)


def test_nothing_needs_a_person(digits, version):
    _run("retrain", "refused", "accuracy 0.9600 < 0.9700")
    assert status().problems == ()
    ended = digits("status")
    assert ended.status == 0
    assert "Nothing needs a person." in ended.out
    assert "mnist/1" in ended.out


def test_a_job_that_failed_needs_a_person_until_it_succeeds(digits, version):
    _run("retrain", "completed")
    _run("retrain", "failed", "the disk is full")
    assert status().problems == ("retrain failed: the disk is full",)
    ended = digits("status")
    assert ended.status == 1
    assert "retrain failed: the disk is full" in ended.out
    _run("retrain", "unchanged")
    assert status().problems == ()


def test_no_champion_needs_a_person(digits, version):
    with open_registry() as registry:
        registry.delete_alias("mnist", "champion")
    assert status().problems == ("There is no champion.",)


def test_drift_and_proposals_need_a_person(version):
    with open_registry() as registry:
        batch = registry.record_batch(DRIFTED_BATCH, key="1" * 64)
        registry.protect("mnist", "champion")
        registry.propose("mnist/1", "champion")
    assert status().problems == (
        "mnist/1 waits for approval as champion.",
        f"Batch {batch.id} drifted in ink: /scores.",
    )


def test_an_overdue_job_needs_a_person_and_is_told_once(version, monkeypatch):
    monkeypatch.setenv("DIGITS_MAX_HOURS__RETRAIN", "1e-9")
    monkeypatch.setenv("DIGITS_MAX_HOURS__SCORE_INBOX", "1")
    assert [problem.partition(":")[0] for problem in status().problems] == [
        "retrain is overdue",
        "score-inbox is overdue",
    ]
    _run("retrain", "completed")
    for _ in range(2):
        watch(load_settings())
    with open_registry() as registry:
        kinds = [(m.kind, m.body.get("job")) for m in registry.messages.read()]
    assert kinds == [("job.overdue", "retrain"), ("model.promoted", None)]


def test_messages_that_do_not_arrive_need_a_person(version, monkeypatch):
    monkeypatch.setenv("DIGITS_NOTIFY", f"http://127.0.0.1:9#{SECRET}")
    watch(load_settings())
    assert len(status().waiting) == 1
    # For an hour they may still arrive by themselves.
    assert status().problems == ()
    monkeypatch.setattr("pipeline.jobs.status._PATIENCE", timedelta(0))
    (problem,) = status().problems
    assert problem == (
        "A message is not delivered (mnist/1 is the champion): cannot be reached (ConnectionError)."
    )


def test_a_killed_run_is_found(version):
    """Its process is gone, and nobody was left to tell."""
    program = (
        "import os, signal\n"
        "from pipeline.monitoring.runs import recorded\n"
        "@recorded('retrain', lambda _: ('completed', ''))\n"
        "def job():\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "job()"
    )
    ended = subprocess.run([sys.executable, "-c", program], check=False)
    assert ended.returncode == -9
    assert status().problems == ("retrain crashed: Its process was killed.",)
    with open_registry() as registry:
        assert registry.messages.read()[0].kind == "job.crashed"


def test_processes_are_told_apart():
    own = this_process()
    number, start, boot, container = own.split()
    assert is_alive(own)
    assert not is_alive(f"{number} {int(start) + 1} {boot} {container}")
    assert not is_alive(f"{number} {start} another-boot {container}")
    # What runs in another container cannot be seen.
    assert is_alive(f"999999999 {start} {boot} another-container")
    assert not is_alive(f"999999999 {start} {boot} {container}")


def test_a_job_is_recorded_with_its_run_and_without_its_parts(version):
    @recorded("inner", lambda _: ("completed", "inner"))
    def inner():
        pass

    @recorded("outer", lambda _: ("completed", "outer"))
    def outer():
        inner()

    with running_as("run-1"):
        outer()
    with open_registry() as registry:
        (run,) = registry.job_runs.read()
    assert (run.job, run.message, run.run_id) == ("outer", "outer", "run-1")


@pytest.mark.parametrize(
    ("error", "outcome", "message"),
    [
        (ValueError("no\nway"), "failed", "no way"),
        (ValueError(), "failed", "ValueError"),
        (KeyboardInterrupt(), "stopped", "It was told to stop."),
        (SystemExit(0), "stopped", "It was told to stop."),
    ],
)
def test_an_error_is_recorded_and_raised(version, error, outcome, message):
    @recorded("job", lambda _: ("completed", ""))
    def job():
        raise error

    with pytest.raises(type(error)):
        job()
    with open_registry() as registry:
        (run,) = registry.job_runs.read()
    assert (run.outcome, run.message) == (outcome, message)


def test_the_next_runs_are_those_of_serve(home, version):
    now = datetime.now(UTC)
    due = now + timedelta(hours=3)
    content = {"at": now.isoformat(), "next": {"retrain": due.isoformat()}}
    (home / NEXT_RUNS).write_text(json.dumps(content))
    assert [(job.job, job.next_run) for job in status().jobs] == [("retrain", due)]
    content["at"] = (now - timedelta(hours=1)).isoformat()
    (home / NEXT_RUNS).write_text(json.dumps(content))
    assert status().jobs == ()
    (home / NEXT_RUNS).write_text("no JSON")
    assert status().jobs == ()


def test_metrics_are_in_the_format_of_prometheus(digits, version):
    _run("retrain", "completed")
    with open_registry() as registry:
        registry.record_batch(DRIFTED_BATCH, key="1" * 64)
    text = digits("metrics").out
    samples = {
        (sample.name, *dict(sorted(sample.labels.items())).values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["digits_problems",] == 1
    assert samples["digits_champion_info", version.sha256, "mnist/1"] == 1
    assert samples["digits_champion_validation_accuracy",] == 0.98125
    assert samples["digits_job_last_success_timestamp_seconds", "retrain"] > 1e9
    assert samples["digits_job_running", "retrain"] == 0
    assert samples["digits_batches_drifted",] == samples["digits_batches",] == 1


def test_batches_are_listed(digits, version):
    assert "No batches yet" in digits("batches").out
    with open_registry() as registry:
        registry.record_batch(DRIFTED_BATCH, key="1" * 64)
    assert "ink" in digits("batches").out
    (listed,) = json.loads(digits("batches", "--json").out)
    assert (listed["version"], listed["predicted"], listed["has_changed"]) == ("mnist/1", 10, False)
    assert json.loads(digits("batches", "--since", "2999-01-01", "--json").out) == []


def test_a_test_message_is_sent_from_the_command_line(digits, version, monkeypatch):
    assert digits("notify", "test").status == 2
    monkeypatch.setenv("DIGITS_NOTIFY", f"http://127.0.0.1:9#{SECRET}")
    ended = digits("notify", "test")
    assert ended.status == 1
    assert "http (1 of 1): not sent: cannot be reached" in ended.out
    ended = digits("notify", "send")
    assert ended.status == 1
    assert digits("notify", "send").status == 0


def test_messages_without_a_receiver_do_not_pile_up(version, monkeypatch):
    monkeypatch.setattr("pipeline.monitoring.delivery._WAITING", timedelta(0))
    monkeypatch.setattr("pipeline.monitoring.delivery._DONE", timedelta(0))
    for _ in range(2):
        watch(load_settings())
    with open_registry() as registry:
        assert registry.messages.read() == []
