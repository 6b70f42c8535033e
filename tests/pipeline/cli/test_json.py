"""What commands print with --json: valid against the published schemas, also if they fail."""

import json
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import jsonschema
import pytest

from pipeline import open_registry
from pipeline.monitoring.runs import this_process
from registry import (
    AgreedLabels,
    BatchRecord,
    DriftFigure,
    Estimate,
    RunRecord,
    ShadowFigures,
)

SCHEMAS = Path(__file__).parents[3] / "docs" / "schemas"


@pytest.fixture
def asked(digits, version, tmp_path):
    """Ask a command for JSON, and hold it against a schema."""
    with open_registry() as registry:
        registry.register(
            "mnist",
            b"no network",
            RunRecord(gate=version.gate, params={"epochs": 3}, parent="mnist/1", run_id="run"),
        )
        registry.refuse("mnist", "ab" * 32, RunRecord(gate=_failed(version.gate)))

    def ask(schema, *arguments, status=0):
        ended = digits(*arguments, "--json")
        assert ended.status == status
        content = json.loads(ended.out)
        published = json.loads((SCHEMAS / f"{schema}.json").read_text())
        jsonschema.Draft202012Validator.check_schema(published)
        jsonschema.validate(content, published)
        return content

    return ask


def _failed(gate):
    return (replace(gate[0], passed=False),)


def test_every_output_is_valid_against_its_schema(asked, tmp_path):
    listed = asked("versions", "versions")
    assert [v["reference"] for v in listed] == ["mnist/2", "mnist/1"]
    assert asked("version", "show", "1") == listed[1]
    assert asked("move", "promote", "2") == {
        "alias": "mnist@champion",
        "version": "mnist/2",
        "from": "mnist/1",
    }
    assert asked("move", "promote", "2", "--alias", "new")["from"] is None
    assert asked("move", "rollback", "--expected", "2")["from"] == "mnist/2"
    assert asked("comparison", "compare", "1", "2")["same_weights"] is False
    assert len(asked("history", "history")) == 7
    assert asked("findings", "verify") == []
    assert asked("garbage", "gc")["blobs"] == 0
    assert asked("backup", "backup", tmp_path / "copy.db")["size"] > 0
    assert asked("export", "export", "mnist", tmp_path / "file")["versions"] == [
        "mnist/1",
        "mnist/2",
    ]
    assert asked("import", "import", tmp_path / "file")["present"] == ["mnist/1", "mnist/2"]


def test_every_output_of_a_change_is_valid_against_its_schema(asked, tmp_path, monkeypatch):
    assert asked("version", "tag", "2", "a=b", "c=d=e")["tags"]["c"] == "d=e"
    assert "a" not in asked("version", "untag", "2", "a")["tags"]
    assert asked("version", "describe", "2", "good")["description"] == "good"
    assert asked("model", "describe", "mnist", "digits")["description"] == "digits"
    assert asked("models", "models")[0]["aliases"] == {"champion": 1}
    copy = asked("version", "copy", "2", "--name", "production")
    assert (copy["reference"], copy["origin"]["reference"]) == ("production/1", "mnist/2")
    assert asked("version", "download", "2", tmp_path / "weights")["number"] == 2
    assert (tmp_path / "weights").read_bytes() == b"no network"
    asked("move", "promote", "2", "--alias", "canary")
    assert asked("move", "unalias", "canary")["from"] == "mnist/2"
    assert asked("protection", "protect", "champion")["approvals"] == 1
    assert asked("proposal", "propose", "2", "--reason", "better")["approved_by"] == []
    assert len(asked("proposals", "proposals")) == 1
    monkeypatch.setenv("LOGNAME", "somebody-else")
    assert asked("proposal", "approve", "2")["is_approved"] is True
    assert asked("protection", "unprotect", "champion")["approvals"] == 0
    with open_registry() as registry:
        for weights in (b"3", b"4"):
            registry.register("mnist", weights)
    assert asked("deletion", "delete", "3", "--reason", "spoilt")["size"] == 1
    pruning = asked("pruning", "prune", "--keep", "1", "--dry-run")
    assert pruning["versions"] == []
    kinds = {event["kind"] for event in asked("history", "history")}
    assert {"tagged", "described", "protected", "proposed", "approved", "deleted"} <= kinds
    assert asked("versions", "versions", "--model", "production") == [copy]


@pytest.fixture
def valid(digits):
    """Run a job, and hold what it prints against a schema."""

    def ask(schema, *arguments, status=0):
        ended = digits(*arguments, "--json")
        assert ended.status == status, ended.err
        content = json.loads(ended.out)
        published = json.loads((SCHEMAS / f"{schema}.json").read_text())
        jsonschema.Draft202012Validator.check_schema(published)
        jsonschema.validate(content, published)
        return content

    return ask


def test_every_output_of_a_job_is_valid_against_its_schema(valid, retrained, tmp_path):
    assert len(valid("ingestion", "ingest")["files"]) == 2
    images = tmp_path / "in"
    assert valid("sample", "sample", "-n", "10", "-o", images)["images"] == 10
    (images / "bad.png").write_text("")
    output = tmp_path / "out"
    plan = valid("plan", "score", images, "-o", output, "--dry-run")
    assert plan["would score"] == "11 images"
    assert not output.exists()
    scored = valid("scoring", "score", images, "-o", output, "--direct", "-f", "csv,jsonl")
    assert (scored["images"], scored["labelled"]) == (11, 10)
    assert scored["not_scored"] == {"empty file": 1}
    assert [Path(table).name for table in scored["tables"]] == [
        "predictions.csv",
        "predictions.jsonl",
    ]
    assert valid("plan", "score", images, "-o", output, "--dry-run")["would score"].startswith(
        "11 images, all of them scored before"
    )
    read = valid("predictions", "predict", images / "bad.png", status=1)
    assert read[0]["reason"] == "empty file"
    assert valid("explanation", "explain")["why_it_came"].startswith("the first champion; ")


def test_every_output_of_a_training_is_valid_against_its_schema(valid, retrained):
    accuracy = ("--min-accuracy", "0.3", "--preset", "quick")
    assert "reason" in valid("plan", "retrain", "--dry-run", *accuracy)
    assert valid("retraining", "retrain", "--direct", *accuracy)["outcome"] == "unchanged"
    seeded = ("retrain", "--direct", "--preset", "quick", "--seed", "1")
    plan = valid("plan", "retrain", "--dry-run", "--preset", "quick", "--seed", "1")
    assert plan["and compare with"].startswith("mnist/1, validation accuracy 0.")
    refused = valid("retraining", *seeded, "--min-accuracy", "1", status=3)
    assert refused["outcome"] == "refused"
    promoted = valid("retraining", *seeded, "--min-accuracy", "0.3")
    assert (promoted["outcome"], promoted["version"]) == ("promoted", "mnist/2")
    assert valid("reproduction", "reproduce", "2")["is_identical"] is True


def test_what_operators_see_is_valid_against_its_schema(asked):
    record = BatchRecord(
        version="mnist/1",
        sha256="ab" * 32,
        inputs=("scans",),
        output="scores",
        files=2,
        digits=(1,),
        failures={"empty file": 1},
        confidence=0.9,
        histogram=(0, 1),
        estimate=Estimate(0.9, 0.8, 1.0),
        drift=(DriftFigure("ink", 0.5, 0.25),),
        labels=AgreedLabels((0, 1), (0, 1), (0.0, 0.9)),
        shadow=ShadowFigures("mnist/2", 1, 0, 1),
        seconds=1.5,
    )
    with open_registry() as registry:
        registry.record_batch(record, key="1" * 64)
        run = registry.job_runs.begin("retrain", "1", "run")
        registry.job_runs.end(run, "failed", "no disk")
        registry.job_runs.begin("ingest", this_process())
    (batch,) = asked("batches", "batches")
    assert batch["failures"] == {"empty file": 1}
    status = asked("status", "status", status=1)
    assert status["last_batch"]["id"] == batch["id"]
    assert [job["is_failing"] for job in status["jobs"]] == [False, True]


def test_every_schema_is_of_an_output():
    source = Path(__file__).read_text()
    names = {path.stem for path in SCHEMAS.glob("*.json")}
    assert {
        name
        for name in names
        if f'asked("{name}"' not in source and f'valid("{name}"' not in source
    } == set()


@pytest.mark.parametrize(
    ("arguments", "status", "error"),
    [
        (("show", "9"), 4, "NotFoundError"),
        (("show", "@nobody"), 4, "NotFoundError"),
        (("history", "letters"), 4, "NotFoundError"),
        (("promote", "9"), 4, "NotFoundError"),
        (("show", "nonsense"), 2, "InvalidArgumentError"),
        (("archive", "1"), 1, "VersionInUseError"),
        (("import", "/nowhere"), 1, "UnavailableError"),
        (("rollback", "--expected", "2"), 1, "ConflictError"),
        (("delete", "1"), 1, "VersionInUseError"),
        (("delete", "9"), 4, "NotFoundError"),
        (("untag", "1", "nobody"), 4, "NotFoundError"),
        (("approve", "2"), 4, "NotFoundError"),
        (("unalias", "nobody"), 4, "NotFoundError"),
        (("promote", "1", "--alias", "latest"), 2, "InvalidArgumentError"),
        (("verify", "--key", "/nowhere"), 2, "KeyFileError"),
        (("copy", "1"), 2, "InvalidArgumentError"),
        (("copy", "1", "--to", "postgresql://nowhere"), 2, "SettingsError"),
    ],
)
def test_a_failure_is_valid_json_as_well(asked, arguments, status, error):
    content = asked("error", *arguments, status=status)
    assert content["error"]["type"] == error
    assert content["error"]["exit_status"] == status


def test_a_missing_registry_is_not_found_and_not_made(digits, home):
    """A mistyped home was an empty registry in which everything was well."""
    for command in (
        *(("versions",), ("verify",), ("gc",), ("history",), ("show", "1"), ("promote", "1")),
        *(("rollback",), ("archive", "1"), ("compare", "1", "2"), ("export", "1", home / "x")),
        *(("models",), ("tag", "1", "a=b"), ("untag", "1", "a"), ("describe", "1", "x")),
        *(("delete", "1"), ("copy", "1"), ("download", "1", home / "x"), ("proposals",)),
        *(("protect", "champion"), ("propose", "1"), ("approve", "1"), ("unalias", "champion")),
        *(("status",), ("batches",)),
    ):
        ended = digits(*command, "--json")
        assert ended.status == 4
        assert json.loads(ended.out)["error"]["type"] == "NoRegistryError"
        assert "There is no registry at" in ended.err
        assert "digits retrain" in ended.err
    assert not home.exists()


def test_times_have_one_form_that_jq_reads(asked):
    times = [version["created_at"] for version in asked("versions", "versions")]
    for event in asked("history", "history"):
        times.append(event["at"])
        if event["kind"] == "registered":
            times.append(event["details"]["version"]["created_at"])
    assert len(times) == 8
    for text in times:
        assert datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")  # noqa: DTZ007 - as jq does


def test_the_history_in_json_is_not_cut(digits, version):
    with open_registry() as registry:
        for number in range(60):
            registry.set_alias("mnist", f"a{number % 2}", 1)
    events = json.loads(digits("history", "--json").out)
    assert [event["seq"] for event in events] == list(range(62, 0, -1))
    table = digits("history")
    assert "Earlier events: --before 13." in table.err
    rest = json.loads(digits("history", "--json", "--before", "13", "--limit", "5").out)
    assert [event["seq"] for event in rest] == [12, 11, 10, 9, 8]
    assert digits("history", "--before", "13").err == ""


def test_a_damaged_record_is_listed_and_fails_the_list_at_its_end(digits, asked, home):
    with closing(sqlite3.connect(home / "registry.db")) as connection, connection:
        connection.execute("DROP TRIGGER events_no_UPDATE")
        connection.execute("UPDATE events SET body = '{}' WHERE seq = 1")
    connection.close()
    rows = asked("versions", "versions", status=1)
    assert [(row["reference"], row["state"]) for row in rows] == [
        ("mnist/2", "ready"),
        ("mnist/1", "damaged"),
    ]
    ended = digits("versions")
    assert ended.status == 1
    assert "damaged" in ended.out
    assert ended.err == "Damaged: mnist/1. `digits verify` shows what was edited or lost.\n"
