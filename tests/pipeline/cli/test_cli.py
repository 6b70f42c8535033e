"""The command line: its output and its exit status."""

import re
import subprocess
import sys
from typing import get_args, get_type_hints

import pyarrow.parquet as pq
import pytest
import typer

import nn
import registry
from pipeline import errors
from pipeline.cli.app import app, main
from pipeline.cli.failures import exit_status, is_expected
from pipeline.cli.options import FORMAT_NAMES, LabelsName, NormalizeName, PresetName
from pipeline.images.reading import NORMALIZE
from pipeline.inputs.selection import LABELS
from pipeline.scoring.formats import FORMATS
from pipeline.training.presets import PRESETS, Preset
from registry import NotFoundError


def _commands(group, prefix=""):
    """The commands of a group and of the groups in it, by name: `notify test`."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{prefix}{name} ")
        else:
            yield f"{prefix}{name}", command


COMMANDS = dict(_commands(typer.main.get_command(app)))


pytestmark = pytest.mark.usefixtures("brief_training")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(digits, command):
    ended = digits(*command.split(), "--help")
    assert ended.status == 0
    assert f"Example: digits {command}" in ended.out


@pytest.mark.usefixtures("sources")
def test_the_main_job_without_prefect(digits, home, tmp_path):
    """Ingest, retrain, list, sample, score: the output and the files of each."""
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
    assert "of 40 labelled images correct: accuracy 0." in ended.out
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
    assert re.search(r"validation accuracy 0\.\d{4}, below 1\.0000", history)


@pytest.mark.usefixtures("sources")
def test_no_promote_registers_a_version_and_keeps_the_champion(digits):
    ended = digits(
        *("retrain", "--preset", "quick", "--min-accuracy", "0.3", "--direct", "--no-promote")
    )
    assert "mnist/1 registered" in ended.out
    assert digits("show", "@champion").status == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ingest",), "Error: No mirror delivers train-images-idx3-ubyte:"),
        (("retrain", "--direct"), "Error: No mirror delivers"),
    ],
)
def test_an_expected_failure_is_one_message_and_status_1(digits, version, arguments, message):
    ended = digits(*arguments)
    assert ended.status == 1
    assert message in ended.err
    assert "Traceback" not in ended.err
    assert ended.out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ("--debug", "show", "7"),
        ("show", "--debug", "7"),
        ("show", "7", "--debug"),
        ("show", "--debug", "--", "7"),
    ],
)
def test_debug_shows_the_traceback_anywhere_on_the_line(home, monkeypatch, arguments):
    monkeypatch.setattr(sys, "argv", ["digits", *arguments])
    with pytest.raises(NotFoundError):
        main()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_accepts_debug_as_its_last_option(digits, command):
    ended = digits(*command.split(), "--help", "--debug")
    assert ended.status == 0
    assert f"Example: digits {command}" in ended.out


def test_debug_is_in_the_help(digits):
    assert "--debug" in digits("--help").out


def test_after_two_dashes_debug_is_an_argument(digits, version):
    ended = digits("show", "--", "--debug")
    assert ended.status == 2
    assert (
        "Error: reference: expected name@alias, name/number, @alias or a number, got '--debug'."
        in ended.err
    )


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("retrain", "--preset", "fast"),
        ("serve", "--preset", "fast"),
        ("score", "in", "--output", "out", "--normalize", "maybe"),
        ("score", "a.png", "b.png", "--output", "out", "--explain"),
        ("retrain", "--min-accuracy", "97"),
        ("retrain", "--seed", "-1"),
        ("sample", "--count", "0", "--output", "x"),
        ("sample", "--output", "x"),
        ("score",),
        ("score", "in", "--format", "doc"),
        ("predict",),
        ("versions", "--limit", "0"),
        ("serve", "--port", "0"),
    ],
)
def test_wrong_usage_ends_with_status_2(digits, arguments):
    ended = digits(*arguments)
    assert ended.status == 2
    assert "Usage: digits" in ended.err


FLOATS = [
    (name, f"--{option.replace('_', '-')}")
    for name, command in COMMANDS.items()
    for option, kind in get_type_hints(command.callback).items()
    if kind in (float, float | None)
]


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e300"])
@pytest.mark.parametrize(("command", "option"), FLOATS)
def test_numbers_that_are_not_finite_or_overflow_are_wrong_usage(digits, command, option, value):
    ended = digits(*command.split(), option, value)
    assert ended.status == 2
    assert f"Invalid value for '{option}'" in ended.err
    assert len(FLOATS) >= 5


def test_the_choices_equal_those_of_the_jobs():
    """The command line repeats them, to start without NumPy."""
    assert get_args(PresetName) == get_args(Preset) == tuple(PRESETS)
    assert get_args(NormalizeName) == NORMALIZE
    assert FORMAT_NAMES == FORMATS
    assert get_args(LabelsName) == LABELS


@pytest.mark.usefixtures("sources")
def test_a_count_beyond_the_test_set_is_wrong_usage(digits, tmp_path):
    ended = digits("sample", "--count", "99999", "--output", tmp_path / "out")
    assert ended.status == 2
    assert re.search(r"Error: count: expected 1 to \d+, got 99999\.", ended.err)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (nn.InvalidParameterError("seed", "a whole number from 0", -1), 2),
        (errors.InvalidParameterError("seed", "a whole number from 0", -1), 2),
        (errors.SettingsError("DIGITS_HOME: …"), 2),
        (registry.InvalidArgumentError("alias", "lower-case letters", "A"), 2),
        (registry.UnsupportedError("registry URL: …"), 2),
        (registry.NewerRegistryError(9, 3), 1),
        (registry.NotFoundError("mnist/7"), 4),
        (registry.NoRegistryError("/home/registry.db"), 4),
        (registry.GateError("mnist/7", "mnist@champion", "no gate is recorded for it"), 3),
        (errors.InputError("/nowhere: …"), 2),
        (errors.OutputError("/nowhere: …"), 2),
        (OSError(28, "No space left on device", "/full"), 1),
    ],
)
def test_every_expected_error_has_its_status(error, status):
    assert is_expected(error)
    assert exit_status(error) == status


def test_an_unexpected_error_keeps_its_traceback():
    assert not is_expected(KeyError("x"))


@pytest.mark.parametrize(
    ("variable", "value", "status", "message"),
    [
        ("DIGITS_REGISTRY_URL", "mysql://u:secret@h/d", 2, "expected a SQLite file"),
        ("DIGITS_BLOBS_URL", "ftp://u:secret@h/d", 2, "blobs: expected a directory"),
        ("DIGITS_WHEN_BUSY", "sometimes", 2, "DIGITS_WHEN_BUSY: "),
        ("DIGITS_GATE__MIN_RECALL", "2", 2, "DIGITS_GATE__MIN_RECALL: "),
        ("DIGITS_GATE", "strict", 2, "DIGITS_GATE: expected JSON"),
        ("DIGITS_HOME", "/dev/null", 4, "There is no registry at /dev/null"),
    ],
)
def test_an_invalid_setting_is_one_message(digits, monkeypatch, variable, value, status, message):
    monkeypatch.setenv(variable, value)
    ended = digits("versions")
    assert ended.status == status
    assert message in ended.err
    assert "secret" not in ended.err
    assert "Traceback" not in ended.err


def test_an_unknown_task_runner_fails_a_scoring_before_a_server_is_started(
    digits_apart, home, tmp_path
):
    ended = digits_apart(
        *("score", tmp_path, "--output", tmp_path / "out"), DIGITS_TASK_RUNNER="bogus"
    )
    assert ended.status == 2
    assert ended.err == (
        "Error: DIGITS_TASK_RUNNER: expected threads, processes, dask or dask://HOST:PORT, "
        "got 'bogus'.\n"
    )
    assert not (home / "prefect" / "prefect.db").exists()
    assert not (home / "prefect-server.log").exists()


def test_an_error_of_the_file_system_names_the_file(digits, version, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.png").write_bytes(b"")
    ended = digits("score", tmp_path / "in", "--output", "/dev/null/out", "--direct")
    assert ended.status == 1
    assert "/dev/null/out" in ended.err


def test_python_m_pipeline_is_digits():
    command = [sys.executable, "-m", "pipeline", "--help"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Keeps a handwritten-digit classifier in production." in ended.stdout
