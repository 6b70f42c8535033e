"""The commands about versions, and those that look after the registry."""

import inspect
import json
import os
import re
import subprocess
import sys
from datetime import timedelta, timezone

import numpy as np
import pytest
import typer

from nn import NeuralNetwork
from pipeline import open_registry
from pipeline.cli import failures
from pipeline.cli.app import app
from pipeline.cli.failures import message
from registry import (
    AliasMovedError,
    Check,
    CollisionError,
    DamagedHistoryError,
    NewerRegistryError,
    RunRecord,
)

FAILED = (Check("validation_accuracy", 0.5, 0.97, passed=False),)


@pytest.fixture
def versions(version):
    """Two more versions: one that failed its gate, and a better one."""
    other = NeuralNetwork((784, 5, 10), epochs=1, seed=2)
    other.fit(np.zeros((10, 784), np.uint8), np.arange(10))
    with open_registry() as registry:
        registry.register("mnist", b"no network", RunRecord(gate=FAILED))
        registry.register(
            "mnist",
            other.to_bytes(),
            RunRecord(
                metrics={"validation_accuracy": 0.99},
                params={"preset": "best"},
                gate=version.gate,
                parent="mnist/1",
            ),
        )
    return registry


def test_show_prints_the_whole_record_without_control_characters(digits, version):
    for reference in ("1", "@champion", "mnist/1", "mnist@champion"):
        ended = digits("show", reference)
        assert ended.status == 0
        for part in ("mnist/1", version.sha256, "0.98125", "quick", "champion"):
            assert part in ended.out
    assert "\x1b" not in ended.out
    assert "a[31mb" in ended.out


def test_json_has_the_keys_of_the_record(digits, version):
    shown = json.loads(digits("show", "1", "--json").out)
    assert list(shown) == [
        *(
            "reference",
            "name",
            "number",
            "state",
            "sha256",
            "size",
            "metrics",
            "params",
            "tags",
            "inputs",
        ),
        *("environment", "gate", "aliases", "parent", "code_version", "run_id"),
        *("created_at", "created_by", "description", "origin", "gate_passed"),
    ]
    assert shown["metrics"] == {"validation_accuracy": 0.98125}
    assert shown["created_at"] == f"{version.created_at:%Y-%m-%dT%H:%M:%SZ}"
    assert json.loads(digits("versions", "--json").out) == [shown]


def test_an_empty_registry_says_what_to_do(digits):
    open_registry().close()
    assert "`digits retrain` makes the first" in digits("versions").out
    assert json.loads(digits("versions", "--json").out) == []


def test_versions_can_be_limited(digits, version):
    with open_registry() as registry:
        registry.register("mnist", b"2")
    listed = digits("versions", "--limit", "1").out.splitlines()
    assert len(listed) == 2
    assert listed[1].startswith("mnist/2")


def test_promote_moves_an_alias(digits, version):
    with open_registry() as registry:
        registry.register("mnist", b"2", RunRecord(gate=version.gate))
    assert digits("promote", "2").out == "mnist@champion is mnist/2 now (before: mnist/1).\n"
    assert digits("promote", "@champion", "--alias", "shadow").status == 0
    with open_registry() as registry:
        assert registry.get("mnist/2").aliases == ("champion", "shadow")


def test_versions_are_searched_sorted_and_paged(digits, versions):
    def listed(*arguments):
        ended = digits("versions", "--json", *arguments)
        return [version["number"] for version in json.loads(ended.out)]

    assert listed() == [3, 2, 1]
    assert listed("--where", "params.preset = 'best' or gate = 'failed'") == [3, 2]
    assert listed("--sort", "metrics.validation_accuracy") == [1, 3]
    assert listed("--sort", "metrics.validation_accuracy desc", "--limit", "1") == [3]
    assert listed("--limit", "1", "--after", "3") == [2]
    assert "No versions.\n" in digits("versions", "--where", "number > 3").out


def test_accuracies_are_drawn_from_the_oldest_to_the_newest(digits, versions):
    assert "oldest first" not in digits("versions").out
    with open_registry() as registry:
        registry.register("mnist", b"4", RunRecord(metrics={"validation_accuracy": 0.985}))
    assert "oldest first: 0.9812 ▁█▄ 0.9900" in digits("versions").out


def test_a_syntax_error_in_a_condition_is_marked_with_a_caret(digits, version):
    ended = digits("versions", "--where", "number > 1 adn number < 3")
    assert ended.status == 2
    assert ended.err.splitlines()[1:] == [
        "  number > 1 adn number < 3",
        "             ^^^",
    ]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("show", "nonsense"), 2, "Error: reference: expected name@alias, name/number"),
        (("promote", "7"), 4, "Error: There is no mnist/7"),
        (("promote", "1", "--alias", "A b"), 2, "Error: alias: expected lower-case letters"),
        (("rollback",), 4, "Error: mnist@champion has no previous version."),
        (("history", "letters"), 4, "Error: There is no model letters"),
        (("archive", "1"), 1, "Error: mnist/1 cannot be archived: it is mnist@champion."),
        (("import", "/nowhere"), 1, "Error: /nowhere cannot be read"),
        (("export", "9", "/tmp/x"), 4, "Error: There is no mnist/9"),
    ],
)
def test_a_command_that_fails_prints_one_message(digits, version, arguments, status, message):
    ended = digits(*arguments)
    assert ended.status == status
    assert message in ended.err
    assert "Traceback" not in ended.err
    assert ended.out == ""


def test_an_error_of_the_registry_is_followed_by_a_hint(
    digits, versions, home, tmp_path, monkeypatch
):
    """The hint is one more line on standard error, and names a command that helps."""

    def hint(*arguments):
        error, hint = digits(*arguments).err.splitlines()
        assert error.startswith("Error: ")
        return hint

    assert hint("show", "7") == "`digits versions` lists the versions and their aliases."
    assert hint("rollback") == "`digits history` lists the moves of an alias."
    assert hint("promote", "2") == (
        "`digits show mnist/2` shows its gate; `digits promote --force` makes an exception."
    )
    digits("archive", "3")
    assert hint("promote", "3") == "`digits archive --undo` restores a version."
    (tmp_path / "no-export.tar").write_text("no export")
    assert hint("import", tmp_path / "no-export.tar") == (
        "`digits export` writes the files that can be imported."
    )
    for weights in [path for path in (home / "blobs").rglob("*") if path.is_file()]:
        weights.unlink()
    assert hint("compare", "1", "2") == (
        "`digits verify` lists all weights that are missing or damaged."
    )
    monkeypatch.setenv("DIGITS_REGISTRY_URL", "mysql://h/d")
    assert hint("versions") == (
        "DIGITS_REGISTRY_URL names the database, and DIGITS_BLOBS_URL the blob store."
    )


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (NewerRegistryError(9, 3), "Upgrade digits to the release that opened it last."),
        (AliasMovedError("mnist@champion", 1), "`digits history` lists the moves of an alias."),
        (DamagedHistoryError("edited"), "`digits verify` lists what was edited or lost."),
        (
            CollisionError(("mnist/1",)),
            "`digits export MODEL/NUMBER FILE` exports a single version.",
        ),
    ],
)
def test_rare_errors_have_a_hint_too(error, hint):
    assert message(error) == f"{error}\n{hint}"


def test_the_hints_name_existing_commands():
    source = inspect.getsource(failures)
    named = re.findall(r"`digits (\w+)", source)
    assert len(named) > 5
    assert set(named) <= set(typer.main.get_command(app).commands)


def test_only_force_promotes_what_the_gate_refused(digits, versions):
    ended = digits("promote", "2")
    assert ended.status == 3
    assert "its gate refused it (validation_accuracy 0.5000 < 0.9700)" in ended.err
    assert (
        digits("promote", "2", "--force").out
        == "mnist@champion is mnist/2 now (before: mnist/1).\n"
    )
    assert "forced: its gate was not passed" in digits("history", "--alias", "champion").out
    assert digits("rollback").out == "mnist@champion is mnist/1 now (before: mnist/2).\n"
    kinds = [event["kind"] for event in json.loads(digits("history", "--json").out)]
    assert kinds == ["alias_rolled_back", "alias_moved", *["registered"] * 2, "alias_moved",
                     "registered"]  # fmt: skip


def test_show_resolves_an_alias_as_of_a_time(digits, versions):
    digits("promote", "3")
    before = digits("show", "@champion", "--at", "2000-01-01")
    assert before.status == 4
    with open_registry() as registry:
        moved = registry.alias("mnist", "champion").moved_at
        assert registry.get("mnist@champion", at=moved).number == 3
        assert registry.get("mnist@champion", at=moved - timedelta(microseconds=1)).number == 1
    # As `digits history` prints it, that day, and with an offset.
    elsewhere = moved.astimezone(timezone(timedelta(hours=2)))
    for at in (
        *(f"{moved:%Y-%m-%d}", f"{moved:%Y-%m-%d %H:%M:%S}", f"{elsewhere:%Y-%m-%dT%H:%M:%S%z}"),
        elsewhere.isoformat(),
    ):
        shown = json.loads(digits("show", "@champion", "--at", at, "--json").out)
        assert (shown["number"], shown["aliases"]) == (3, ["champion"])
    # An hour before anything, in Berlin time, is not two hours after that.
    early = f"{elsewhere - timedelta(hours=1):%Y-%m-%dT%H:%M:%S%z}"
    assert digits("show", "@champion", "--at", early).status == 4
    assert digits("show", "1", "--at", early).status == 4
    for at in ("2026", "20261126"):
        assert digits("show", "@champion", "--at", at).status == 2


def test_compare_shows_what_differs_and_by_how_much(digits, versions):
    shown = json.loads(digits("compare", "1", "3", "--json").out)
    assert shown["params"]["preset"] == {"first": "quick", "second": "best"}
    assert shown["metrics"]["validation_accuracy"]["change"] == pytest.approx(0.00875)
    assert [layer["layer"] for layer in shown["layers"]] == [
        *("weights.1", "biases.1", "weights.2", "biases.2")
    ]
    assert all(layer["distance"] > 0 for layer in shown["layers"])
    printed = digits("compare", "1", "3").out
    assert "+0.00875" in printed
    assert "of the norm" in printed
    assert "identical" in digits("compare", "1", "1").out
    assert "not compared layer by layer" in digits("compare", "1", "2").err


def test_verify_ends_with_status_1_if_weights_are_missing(digits, versions, home):
    assert digits("verify").status == 0
    assert digits("verify", "1").status == 0
    [damaged] = [p for p in (home / "blobs").rglob("*") if p.is_file() and p.stat().st_size == 10]
    damaged.unlink()
    ended = digits("verify")
    assert ended.status == 1
    assert "are missing" in ended.out
    assert digits("verify", "1").status == 0
    found = json.loads(digits("verify", "2", "--json").out)
    assert [finding["severity"] for finding in found] == ["error"]


def test_gc_removes_weights_without_a_version(digits, versions):
    versions._blobs.put(b"left over")
    assert digits("gc").out == "Removed 0 files of weights and 0 temporary files, 0 bytes.\n"
    kept = digits("gc", "--hours", "0")
    assert kept.out == "Removed 0 files of weights and 0 temporary files, 0 bytes.\n"
    assert "Kept 1 file of weights that no version of this registry ever had; --yes" in kept.err
    dry = digits("gc", "--hours", "0", "--dry-run", "--yes").out
    assert dry == "Would remove 1 file of weights and 0 temporary files, 9 bytes.\n"
    assert json.loads(digits("gc", "--hours", "0", "--yes", "--json").out)["blobs"] == 1
    assert digits("verify").status == 0


def test_an_export_is_imported_into_another_registry(digits, versions, tmp_path, monkeypatch):
    file = tmp_path / "mnist.tar"
    assert "mnist/1, mnist/2, mnist/3 in" in digits("export", "mnist", file).out
    history = digits("history").out
    monkeypatch.setenv("DIGITS_HOME", str(tmp_path / "other"))
    assert digits("import", file).out == "Added: mnist/1, mnist/2, mnist/3.\n"
    assert digits("history").out == history
    again = digits("import", file).out
    assert again == "Added: nothing.\nAlready present, and equal: mnist/1, mnist/2, mnist/3.\n"
    assert digits("verify").status == 0


def test_an_archived_version_cannot_be_promoted_until_it_is_restored(digits, versions):
    assert digits("archive", "3").out == "mnist/3 is archived now.\n"
    assert digits("promote", "3").status == 1
    assert digits("archive", "3", "--undo").out == "mnist/3 is ready now.\n"
    assert digits("promote", "3").status == 0


def test_versions_go_through_a_pipe_to_another_registry(digits_apart, version, tmp_path):
    """`digits export mnist - | digits import -`; messages stay out of the way."""
    environment = {**os.environ, "DIGITS_HOME": str(tmp_path / "other")}
    command = [sys.executable, "-m", "pipeline"]
    with subprocess.Popen([*command, "export", "mnist", "-"], stdout=subprocess.PIPE) as writer:
        imported = subprocess.run(
            [*command, "import", "-"],
            stdin=writer.stdout,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
    assert writer.returncode == 0
    assert imported.stdout == "Added: mnist/1.\n"


@pytest.mark.parametrize("user", ["J\udcf6rg", "x" * 5000, "日本"])
def test_a_user_of_any_name_is_recorded(digits, version, monkeypatch, user):
    """A name that is not UTF-8 kept its user from reading."""
    monkeypatch.setattr("getpass.getuser", lambda: user)
    assert digits("promote", "1", "--alias", "shadow").status == 0
    [event] = json.loads(digits("history", "--alias", "shadow", "--json").out)
    assert event["actor"].startswith(user.encode(errors="backslashreplace").decode()[:200])


def test_a_home_may_have_a_question_mark_in_its_name(digits, tmp_path, monkeypatch):
    """Two homes that differed after it had one registry."""
    for name in ("q?1", "q?2", "q%3F1"):
        monkeypatch.setenv("DIGITS_HOME", str(tmp_path / name))
        with open_registry() as registry:
            registry.register("mnist", name.encode())
            assert registry.latest("mnist").number == 1
        assert (tmp_path / name / "registry.db").is_file()


def test_a_rollback_takes_back_only_what_was_seen(digits, versions):
    digits("promote", "3", "--reason", "better")
    ended = digits("rollback", "--expected", "2")
    assert (ended.status, ended.out) == (1, "")
    assert "mnist@champion is mnist/3, not 2. Nothing was changed." in ended.err
    assert digits("rollback", "--expected", "mnist/3", "--reason", "worse sevens").status == 0
    assert "worse sevens" in digits("history", "--alias", "champion").out
    assert digits("rollback", "--to", "3").status == 4
    assert digits("rollback", "--to", "@champion").status == 2
    digits("promote", "3")
    assert digits("rollback", "--to", "1").out == (
        "mnist@champion is mnist/1 now (before: mnist/3).\n"
    )
