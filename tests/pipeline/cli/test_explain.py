"""`digits explain`: what was in production then, since when, until when, and why."""

import json
import time
from datetime import UTC, datetime, timedelta

import jsonschema
import pytest

from pipeline import open_registry
from registry import Check, RunRecord

PASSED = (Check("validation_accuracy", 0.98, 0.97, passed=True),)
START = datetime(2026, 11, 20, 3, 0, tzinfo=UTC)


@pytest.fixture
def last_week(home, monkeypatch):
    """A champion on the 20th, the next on the 24th, taken back on the 26th."""

    def on(days):
        moment = START + timedelta(days=days)
        monkeypatch.setattr(time, "time_ns", lambda: round(moment.timestamp() * 1e9))

    with open_registry() as registry:
        on(0)
        for seed in (0, 1):
            registry.register("mnist", b"%d" % seed, RunRecord(params={"seed": seed}, gate=PASSED))
        registry.set_alias("mnist/1", "champion", reason="the first champion")
        on(4)
        registry.set_alias("mnist/2", "champion", reason="validation accuracy 0.9894 (+0.0000)")
        on(6)
        registry.rollback("mnist", reason="reads sevens as ones")
        on(7)
    return on


def _lines(ended):
    assert ended.status == 0, ended.err
    title, *lines = ended.out.splitlines()
    return title, [line.strip() for line in lines]


def test_five_lines_answer_for_a_day(digits, last_week):
    title, lines = _lines(digits("explain", "@champion", "--at", "2026-11-25"))
    assert title == "mnist@champion at 2026-11-25 23:59:59 UTC"
    version, since, until, came, went = (line.split("  ", 1) for line in lines)
    assert version[0] == "version"
    assert version[1].strip().startswith("mnist/2, SHA-256 ")
    assert since[1].strip().startswith("2026-11-24 03:00:00 UTC by ")
    assert until[1].strip().startswith("2026-11-26 03:00:00 UTC, rolled back to mnist/1 by ")
    # An earlier release recorded the figures only.
    assert came == ["why it came", "seed 1 instead of 0; validation accuracy 0.9894 (+0.0000)"]
    assert went == ["why it went", "reads sevens as ones"]


def test_what_is_in_production_now_has_not_gone(digits, last_week):
    title, lines = _lines(digits("explain"))
    assert title.startswith("mnist@champion at ")
    assert [line.split("  ")[0] for line in lines] == ["version", "since", "until", "why it came"]
    assert lines[2].endswith("now")
    assert lines[3].endswith("reads sevens as ones")


@pytest.mark.parametrize(
    ("at", "status"), [("2026-11-19", 4), ("2026-11-20", 0), ("2026-11-20 02:59", 4)]
)
def test_before_there_was_a_champion_the_message_names_the_time(digits, last_week, at, status):
    ended = digits("explain", "@champion", "--at", at)
    assert ended.status == status
    assert not status or "mnist@champion was not set at 2026-11-" in ended.err


def test_a_version_is_no_alias(digits, last_week):
    assert digits("explain", "7").status == 2


def test_a_deleted_version_is_named(digits, last_week):
    with open_registry() as registry:
        registry.register("mnist", b"x", RunRecord(gate=PASSED))
        registry.set_alias("mnist/3", "canary", force=True)
        registry.delete_alias("mnist", "canary")
        registry.set_alias("mnist/1", "canary")
    ended = digits("explain", "@canary", "--at", "2026-11-27 03:00")
    assert "mnist/1" in ended.out


def test_json_is_valid_against_its_schema(digits, last_week, pytestconfig):
    content = json.loads(digits("explain", "--at", "2026-11-25", "--json").out)
    schema = json.loads((pytestconfig.rootpath / "docs/schemas/explanation.json").read_text())
    jsonschema.validate(content, schema)
    assert content["version"] == "mnist/2"
    assert content["until"] == "2026-11-26T03:00:00Z"
    assert content["followed_by"] == "mnist/1"
    now = json.loads(digits("explain", "--json").out)
    jsonschema.validate(now, schema)
    assert now["until"] is now["why_it_went"] is None


def test_show_says_why_a_version_came_into_use(digits, last_week):
    assert "why            seed 1 instead of 0; validation accuracy" in digits("show", "2").out
    assert "the first champion" in digits("history").out
