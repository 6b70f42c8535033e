"""What people see: 80 columns, letters that a terminal does not know, Ctrl-C, advice."""

import ast
import io
import re
import sys
from pathlib import Path

import pytest
from rich.console import Console
from typer.main import get_command

from pipeline import InputError, open_registry
from pipeline.cli import messages, running
from pipeline.cli.app import app, main
from pipeline.cli.progress_display import show_progress
from pipeline.monitoring.runs import this_process
from pipeline.progress import report
from pipeline.reporting.text import Card, Lines, wrapped
from registry import AgreedLabels, BatchRecord, Check, DriftFigure, Estimate, RunRecord

SHA256 = "ab" * 32
LONG = "/a/path/" + "without-an-end/" * 8
SCORED = BatchRecord(
    version="mnist/2",
    sha256="ab" * 32,
    inputs=("scans",),
    output="/home/somebody/scans/of/june/scores",
    files=1_204,
    digits=(1_200,),
    failures={"empty file": 4},
    confidence=0.9871,
    histogram=(0, 1_200),
    estimate=Estimate(0.981, 0.973, 0.989),
    drift=(DriftFigure("predictions", 0.5, 0.25), DriftFigure("ink", 0.5, 0.25)),
    labels=AgreedLabels((0, 100), (0, 99), (0.0, 98.0)),
    seconds=1.5,
)
PASSED = (Check("validation_calibration_error", 0.0012, 0.02, passed=True),)


@pytest.fixture
def terminal(digits, monkeypatch):
    """Run a command as on a terminal of 80 columns; return its lines."""
    monkeypatch.setattr(Console, "is_terminal", True)
    monkeypatch.setattr(messages, "is_terminal", lambda _: True)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("TERM", "dumb")

    def run(*arguments):
        ended = digits(*arguments)
        return [*ended.out.splitlines(), *ended.err.splitlines()]

    return run


@pytest.fixture
def compared(home):
    """Two versions that differ in everything, one of which is the champion."""
    with open_registry() as registry:
        for number in (1, 2):
            registry.register(
                "mnist",
                b"%d" % number,
                RunRecord(
                    metrics={
                        "validation_accuracy": 0.98 + number / 1000,
                        "validation_calibration_error": 0.002 * number,
                        "training_seconds": 100.5 * number,
                    },
                    params={"preset": "standard", "seed": number, "sizes": [784, 30, 10]},
                    inputs={"train_images": SHA256},
                    gate=PASSED,
                    run_id="4b4ce2a2-c090-4c48-a3b2-0c4a51820af3",
                ),
            )
        registry.set_alias("mnist/1", "champion")
        registry.set_alias("mnist/2", "champion", reason="it reads the forms of June " * 5)
        registry.record_batch(SCORED, key="1" * 64)
        run = registry.job_runs.begin("retrain", this_process(), "run")
        registry.job_runs.end(run, "failed", "the disk was full " * 5)


@pytest.mark.parametrize(
    "command",
    [
        ("versions",),
        ("models",),
        ("show", "2"),
        ("compare", "1", "2"),
        ("history",),
        ("explain",),
        ("retrain", "--dry-run"),
        ("status",),
        ("batches",),
        ("proposals",),
        ("verify",),
        ("gc",),
        ("reviews",),
        ("prune", "--keep", "1", "--dry-run"),
        ("protect", "champion"),
        ("propose", "1", "--reason", "it read the forms of May"),
        ("tag", "1", *(f"name{number}=value{number}" for number in range(9))),
        ("describe", "1", "trained with the forms of June " * 5),
        ("promote", "1"),
        ("rollback",),
        ("versions", "--where", "metrics.validation_acuracy > 0.5"),
        ("show", "champion"),
        ("show", "9"),
        ("score", "/nowhere"),
        ("retrain", "--labelled", "/nowhere"),
        ("retrain", "--labels", "folders"),
    ],
)
def test_no_line_is_longer_than_the_terminal_and_no_word_is_cut(terminal, compared, command):
    lines = terminal(*command)
    assert max(map(len, lines)) <= 80
    assert not any("…" in line for line in lines)


@pytest.mark.parametrize("command", sorted(get_command(app).commands))
def test_no_line_of_a_help_is_longer_than_the_terminal(terminal, command):
    lines = terminal(command, "--help")
    assert len(lines) > 5
    assert max(map(len, lines)) <= 80
    # A name that is longer than its column would be cut.
    assert not any(re.search(r"\w{12}…", line) for line in lines)


def test_a_pattern_in_a_help_keeps_its_stars(terminal):
    """Helps are Markdown, which takes stars for emphasis."""
    assert "'scans/2026-*/*.png'" in "\n".join(terminal("score", "--help"))
    assert '"0 3 * * *"' in "\n".join(terminal("serve", "--help"))


def test_sentences_are_printed_by_say_which_breaks_lines():
    """What `typer.echo` prints is not broken: text for files and programs, never a sentence."""
    callers = {
        path.name
        for path in Path(messages.__file__).parent.glob("*.py")
        if "typer.echo(" in path.read_text()
    }
    of_programs = {"app.py", "monitoring.py", "predicting.py", "reviews.py", "versions.py"}
    assert callers == {"messages.py", *of_programs}


def test_constant_messages_fit_a_terminal_of_80_columns():
    """Also for who reads them in a log, where nothing is broken."""
    constants = [
        (path.name, node.args[0].value)
        for path in Path(messages.__file__).parent.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and getattr(node.func, "id", "") == "say"
        and isinstance(node.args[0], ast.Constant)
    ]
    assert constants
    for message in (*constants, ("running.py", running._STARTING)):
        assert max(map(len, message[1].splitlines())) <= 80, message


def test_a_batch_is_told_in_full(terminal, compared):
    lines = [" ".join(line.split()) for line in terminal("batches")]
    assert "images 1,204, 4 without a prediction" in lines
    assert any(re.fullmatch(r"accuracy 0\.\d{4} \(.* to .*\), estimated", line) for line in lines)
    assert "drift predictions, ink" in lines
    assert f"output {SCORED.output}" in lines


def test_digests_and_names_of_metrics_are_whole(terminal, compared):
    shown = "\n".join(terminal("show", "2"))
    assert SHA256 in shown
    assert "validation_calibration_error" in shown
    rows = [line.split() for line in terminal("compare", "1", "2")]
    assert ["validation_calibration_error", "0.002000", "0.004000", "+0.002000"] in rows


def test_compared_figures_have_their_points_below_each_other(terminal, compared):
    lines = [line for line in terminal("compare", "1", "2") if re.search(r"\.\d{6}", line)]
    assert len(lines) == 3
    points = [[match.start() for match in re.finditer(r"\.\d{6}", line)] for line in lines]
    assert points[0] == points[1] == points[2]


def test_what_is_piped_is_not_padded(digits, compared):
    for command in (("versions",), ("show", "1"), ("history",), ("compare", "1", "2")):
        lines = digits(*command).out.splitlines()
        assert not any(line.endswith(" ") for line in lines)


def test_a_message_is_broken_between_words_on_a_terminal_only(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    text = f"Error: {LONG} is not here.\n  mirror: {'down ' * 20}"
    messages.say(text)
    assert capsys.readouterr().out == f"{text}\n"
    monkeypatch.setattr(messages, "is_terminal", lambda _: True)
    messages.say(text, err=True)
    first, second, third, *others = capsys.readouterr().err.splitlines()
    assert (first, second, third) == ("Error:", LONG, "is not here.")
    assert all(line.startswith("  ") and len(line) <= 80 for line in others)


@pytest.mark.parametrize("columns", [30, 80])
def test_a_long_word_is_never_broken(columns):
    console = Console(file=io.StringIO(), width=columns, force_terminal=False)
    card = Card("title")
    card.add_row("sha256", SHA256)
    card.add_row("path", f"see {LONG} and more words than there is room for on a single line")
    console.print(card, Lines([f"Predictions: {LONG}"]), crop=False)
    lines = console.file.getvalue().splitlines()
    assert any(line.endswith(SHA256) for line in lines)
    assert sum(LONG in line for line in lines) == 2
    assert wrapped("a b", 20) == ["a b"]


def test_letters_that_a_terminal_does_not_know_are_replaced(home, monkeypatch, compared):
    """The work was done: a traceback would be the wrong end."""
    with open_registry() as registry:
        registry.describe("mnist/1", "é ≥ 9")
    for name in ("stdout", "stderr"):
        stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
        monkeypatch.setattr(sys, name, stream)
    monkeypatch.setattr(sys, "argv", ["digits", "show", "1"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert not ended.value.code
    sys.stdout.flush()
    assert b"? ? 9" in sys.stdout.buffer.getvalue()


def test_ctrl_c_says_what_is_safe_and_how_to_go_on(capsys):
    def stopped():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        running.call(stopped)
    assert (
        "What was finished is kept: the same command goes on from there." in capsys.readouterr().err
    )


def test_quiet_keeps_warnings_and_drops_progress(capsys, caplog):
    import logging

    with show_progress(quiet=True):
        report("Train", 1, 1)
        logging.getLogger("pipeline").warning("look here")
    err = capsys.readouterr().err
    assert "Train" not in err
    assert "Warning: look here" in err


def test_a_bar_shows_the_rest_of_the_time_and_the_rate(monkeypatch):
    """Of what is done in this run: what an earlier one did says nothing about its pace."""
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=80, color_system=None)
    monkeypatch.setattr("pipeline.cli.progress_display.Console", lambda **_: console)
    with show_progress():
        report("Score with mnist/1", 500, 1000)
        report("Score with mnist/1", 750, 1000, "25 a second")
    lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue()).splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert re.search(r"Score with mnist/1 .* 75 % +\d:\d\d left 25 a second", lines[-1])


def test_a_bare_alias_is_answered_with_its_form(digits, compared):
    ended = digits("show", "champion")
    assert ended.status == 2
    assert "An alias is written @champion, and a version 7 or mnist/7." in ended.err


def test_a_metric_that_no_version_has_is_named(digits, compared):
    ended = digits("versions", "--where", "metrics.nope > 1 and metrics.training_seconds > 0")
    assert "No versions." in ended.out
    assert ended.err.startswith("No version has a metric nope. mnist/2 has: ")
    assert "training_seconds" in ended.err
    assert digits("versions", "--where", "metrics.training_seconds > 1e9").err == ""


def test_the_version_of_the_program(digits):
    assert re.fullmatch(r"digits \d+\.\d+\.\d+\S*\n", digits("--version").out)


def test_reviews_are_no_directory_that_has_to_be_there(digits, retrained, monkeypatch):
    """`retrain --labelled reviews` as a flow looked for a directory of that name."""
    given = {}

    def stop(name, **parameters):
        given.update(parameters)
        raise InputError("here")

    monkeypatch.setattr(running, "run_flow", stop)
    assert "Error: here" in digits("retrain", "--labelled", "reviews").err
    assert given["labelled"] == "reviews"


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (("score", "/nowhere"), 2),
        (("score", "/nowhere", "--format", "csv"), 2),
        (("score", "."), 2),
        (("score", ".", "--model", "9"), 4),
        (("score", ".", "--shadow", "nobody"), 4),
        (("score", ".", "--format", "doc"), 2),
        (("score", ".", "--min-confidence", "2"), 2),
        (("retrain", "--preset", "huge"), 2),
        (("retrain", "--min-accuracy", "2"), 2),
        (("retrain", "--labelled", "/nowhere"), 2),
        (("serve", "--cron", "every day"), 2),
    ],
)
def test_wrong_input_ends_before_a_server_is_started(
    digits, version, home, monkeypatch, arguments, status
):
    monkeypatch.chdir(home)
    monkeypatch.setattr(running, "call", lambda *_, **__: pytest.fail("a job began"))
    ended = digits(*arguments)
    assert ended.status == status
    assert "Starting" not in ended.err
    assert ended.out == ""


def test_a_missing_champion_is_not_found_before_a_server_is_started(digits, home, monkeypatch):
    """Exit status 4, with a registry and without one."""
    monkeypatch.setattr(running, "run_flow", lambda *_, **__: pytest.fail("a flow began"))
    ended = digits("score", ".")
    assert (ended.status, ended.out) == (4, "")
    assert "There is no registry at" in ended.err
    with open_registry() as registry:
        registry.register("mnist", b"no champion", RunRecord())
    ended = digits("score", ".")
    assert (ended.status, ended.out) == (4, "")
    assert "There is no mnist@champion in the registry." in ended.err
