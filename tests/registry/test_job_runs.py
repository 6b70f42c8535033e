"""The last runs of each job."""

import pytest

from registry import InvalidArgumentError


def test_a_run_is_recorded_from_its_begin_to_its_end(registry):
    run = registry.job_runs.begin("retrain", "12 34", "run-1")
    assert (run.job, run.process, run.run_id, run.ended_at) == ("retrain", "12 34", "run-1", None)
    assert registry.job_runs.read(running=True) == [run]
    registry.job_runs.end(run, "completed", "mnist/1 is the champion.")
    (ended,) = registry.job_runs.read("retrain")
    assert (ended.outcome, ended.message) == ("completed", "mnist/1 is the champion.")
    assert ended.ended_at >= ended.started_at
    assert registry.job_runs.read(running=True) == registry.job_runs.read("ingest") == []
    assert registry.messages.waiting() == []


@pytest.mark.parametrize(
    ("outcome", "kind"), [("failed", "job.failed"), ("crashed", "job.crashed")]
)
def test_a_run_that_failed_writes_a_message(registry, outcome, kind):
    run = registry.job_runs.begin("retrain", "12 34")
    registry.job_runs.end(run, outcome, "disk full \0 \udc80")
    # Only the first end counts.
    registry.job_runs.end(run, outcome, "another reason")
    (message,) = registry.messages.waiting()
    assert (message.kind, message.body["job"]) == (kind, "retrain")
    assert message.body["error"] == "disk full  \\udc80"
    assert registry.job_runs.read()[0].outcome == outcome


def test_the_same_failure_again_and_again_writes_one_message(registry):
    """A look into the inbox a minute would write 1,440 a day."""

    def run(outcome, message=None):
        registry.job_runs.end(registry.job_runs.begin("inbox", "1"), outcome, message)
        return [written.body["error"] for written in registry.messages.waiting()]

    assert run("failed", "no disk") == ["no disk"]
    assert run("failed", "no disk") == ["no disk"]
    assert run("stopped") == ["no disk"]
    assert run("failed", "no disk") == ["no disk"]
    assert run("failed", "no network") == ["no disk", "no network"]
    run("completed")
    assert run("failed", "no network") == ["no disk", "no network", "no network"]


def test_a_run_that_was_taken_for_crashed_may_end_well(registry):
    """Such as one on another machine with the same name."""
    run = registry.job_runs.begin("retrain", "1")
    registry.job_runs.end_killed(lambda _process: False)
    registry.job_runs.end(run, "completed", "done")
    assert [(r.outcome, r.message) for r in registry.job_runs.read()] == [("completed", "done")]


def test_runs_whose_process_is_gone_have_crashed(registry):
    runs = [registry.job_runs.begin("retrain", process) for process in ("1", "2", "3")]
    registry.job_runs.end(runs[0], "completed")
    gone = registry.job_runs.end_killed(lambda process: process == "3")
    assert gone == [runs[1]]
    assert registry.job_runs.read(running=True) == [runs[2]]
    assert [message.kind for message in registry.messages.waiting()] == ["job.crashed"]
    assert registry.job_runs.end_killed(lambda process: process == "3") == []


def test_the_last_runs_of_each_outcome_are_kept(registry):
    """A look into the inbox a minute must not make the last failure of a month ago disappear."""
    failed = registry.job_runs.begin("inbox", "1")
    registry.job_runs.end(failed, "failed", "no disk")
    other = registry.job_runs.begin("retrain", "1")
    registry.job_runs.end(other, "completed")
    for _ in range(25):
        registry.job_runs.end(registry.job_runs.begin("inbox", "1"), "completed")
    runs = registry.job_runs.read()
    assert [run.outcome for run in runs if run.job == "inbox"] == ["completed"] * 20 + ["failed"]
    assert [run.outcome for run in runs if run.job == "retrain"] == ["completed"]
    assert registry.job_runs.read("inbox", limit=2) == runs[:2]


def test_invalid_values_are_refused(sqlite):
    for values in (("", "1"), ("retrain", ""), ("x" * 65, "1")):
        with pytest.raises(InvalidArgumentError):
            sqlite.job_runs.begin(*values)
    assert sqlite.job_runs.read() == []
