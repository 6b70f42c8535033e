"""The command line: what it prints, and with which status it ends."""

import re
import subprocess
import sys

import pyarrow.parquet as pq
import pytest
import typer

from pipeline.cli.app import app

COMMANDS = typer.main.get_command(app).commands


pytestmark = pytest.mark.usefixtures("brief_training")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(digits, command):
    ended = digits(command, "--help")
    assert ended.status == 0
    assert f"Example: digits {command}" in ended.out


def test_every_command_is_in_the_readme(pytestconfig):
    readme = (pytestconfig.rootpath / "README.md").read_text()
    assert len(COMMANDS) >= 8
    for command in COMMANDS:
        assert f"digits {command}" in readme


@pytest.mark.usefixtures("sources")
def test_the_main_job_without_prefect(digits, home, tmp_path):
    """Ingest, retrain, list, sample, score: what each says and leaves behind."""
    ended = digits("ingest")
    assert ended.status == 0
    assert str(home / "data" / "train.parquet") in ended.out

    ended = digits("retrain", "--preset", "quick", "--min-accuracy", "0.3", "--direct")
    assert ended.status == 0
    assert "mnist/1 promoted" in ended.out
    assert "Train: 100%, validation accuracy 0." in ended.err

    ended = digits("versions")
    assert ended.out.splitlines()[1].split()[:2] == ["mnist/1", "champion"]

    ended = digits("sample", "--count", "40", "--output", tmp_path / "in")
    assert "40 images and labels.csv" in ended.out

    ended = digits("score", tmp_path / "in", "--output", tmp_path / "out", "--direct")
    assert ended.status == 0
    assert "Scored with mnist/1" in ended.out
    assert "of 40 labelled images right: accuracy 0." in ended.out
    assert pq.read_table(tmp_path / "out" / "predictions").num_rows == 40


@pytest.mark.usefixtures("sources")
def test_a_refusal_ends_with_status_3_and_its_figures(digits, home):
    ended = digits("retrain", "--preset", "quick", "--min-accuracy", "1", "--direct")
    assert ended.status == 3
    assert "Refused by the gate" in ended.out
    assert "< 1.0000. The champion stays." in ended.err
    assert "No versions yet" in digits("versions").out
    history = digits("history").out
    assert "candidate refused by the gate" in history
    assert re.search(r"validation_accuracy 0\.\d{4} < 1\.0000", history)


@pytest.mark.usefixtures("sources")
def test_no_promote_registers_and_leaves_the_champion(digits):
    ended = digits(
        *("retrain", "--preset", "quick", "--min-accuracy", "0.3", "--direct", "--no-promote")
    )
    assert "mnist/1 registered" in ended.out
    assert digits("show", "@champion").status == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "7"), "Error: There is no mnist/7 in the registry."),
        (("score", "/nowhere", "--output", "/tmp/x", "--direct"), "Error: /nowhere: expected"),
        (("ingest",), "Error: No source delivers train-images-idx3-ubyte:"),
        (("retrain", "--direct"), "Error: No source delivers"),
    ],
)
def test_an_expected_failure_is_one_message_and_status_1(digits, version, arguments, message):
    ended = digits(*arguments)
    assert ended.status == 1
    assert message in ended.err
    assert "Traceback" not in ended.err
    assert ended.out == ""


def test_debug_shows_the_traceback(home, monkeypatch):
    from pipeline.cli.app import main
    from registry import NotFoundError

    monkeypatch.setattr(sys, "argv", ["digits", "--debug", "show", "7"])
    with pytest.raises(NotFoundError):
        main()


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("retrain", "--preset", "fast"),
        ("retrain", "--min-accuracy", "97"),
        ("retrain", "--seed", "-1"),
        ("sample", "--count", "0", "--output", "x"),
        ("sample", "--output", "x"),
        ("score",),
        ("versions", "--limit", "0"),
        ("serve", "--port", "0"),
    ],
)
def test_wrong_usage_ends_with_status_2(digits, arguments):
    ended = digits(*arguments)
    assert ended.status == 2
    assert "Usage: digits" in ended.err


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("DIGITS_REGISTRY_URL", "mysql://u:secret@h/d", "expected a SQLite file"),
        ("DIGITS_BLOBS_URL", "ftp://u:secret@h/d", "blobs: expected a directory"),
        ("DIGITS_HOME", "/dev/null", "cannot be created"),
    ],
)
def test_a_setting_that_cannot_be_used_is_one_message(
    digits, monkeypatch, variable, value, message
):
    monkeypatch.setenv(variable, value)
    ended = digits("versions")
    assert ended.status == 1
    assert message in ended.err
    assert "secret" not in ended.err


def test_disk_trouble_names_the_file(digits, version, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(b"")
    ended = digits("score", tmp_path / "in", "--output", "/dev/null/out", "--direct")
    assert ended.status == 1
    assert "/dev/null/out" in ended.err


def _modules_after(code):
    code += "; import sys; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split())


def test_what_starts_at_once_imports_only_what_it_needs():
    """The heavy ones are imported where they are used: Prefect above all."""
    heavy = {"prefect", "numpy", "sqlalchemy", "pyarrow", "cv2", "requests", "pydantic"}
    assert _modules_after("import pipeline.cli.app") & heavy == set()
    assert "prefect" not in _modules_after("import pipeline.jobs.retraining, pipeline.jobs.scoring")
    assert _modules_after("import nn") & (heavy - {"numpy"}) == set()
    assert _modules_after("import registry") & (heavy - {"sqlalchemy"}) == set()


def test_python_m_pipeline_is_digits():
    command = [sys.executable, "-m", "pipeline", "--help"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Keeps a handwritten-digit classifier in production." in ended.stdout
