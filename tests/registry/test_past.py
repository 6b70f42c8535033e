"""The registry as it was at a past time, even if the clock of a writer was wrong."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from registry_contents import errors

from registry import NotFoundError, Registry, RunRecord

START = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.fixture
def clock(monkeypatch):
    """Set the clock of the process to a number of days after the start."""

    def set_to(days):
        moment = START + timedelta(days=days)
        monkeypatch.setattr(time, "time_ns", lambda: round(moment.timestamp() * 1e9))
        return moment

    return set_to


def test_a_version_is_shown_as_it_was(registry, clock):
    """Its aliases and its state are those of the time that was asked for."""
    moments = []

    def at(days, act, *arguments):
        moments.append(clock(days))
        act(*arguments)

    at(0, registry.register, "mnist", b"1")
    at(1, registry.set_alias, "mnist", "live", 1)
    at(2, registry.set_alias, "mnist", "shadow", 1)
    at(3, registry.register, "mnist", b"2")
    at(4, registry.set_alias, "mnist", "live", 2)
    at(5, registry.delete_alias, "mnist", "shadow")
    at(6, registry.archive, "mnist/1")
    at(7, registry.restore, "mnist/1")
    clock(8)
    states = [
        ((), "ready"),
        (("live",), "ready"),
        (("live", "shadow"), "ready"),
        (("live", "shadow"), "ready"),
        (("shadow",), "ready"),
        ((), "ready"),
        ((), "archived"),
        ((), "ready"),
    ]
    for moment, expected in zip(moments, states, strict=True):
        for later in (moment, moment + timedelta(hours=23)):
            version = registry.get("mnist/1", at=later)
            assert (version.aliases, version.state) == expected
    assert registry.get("mnist@live", at=moments[3]).number == 1
    assert registry.get("mnist@live", at=moments[4]).aliases == ("live",)
    for reference, moment in (
        ("mnist/1", START - timedelta(seconds=1)),
        ("mnist/2", moments[2]),
        ("mnist@live", moments[0]),
        ("mnist@shadow", moments[5]),
        ("letters@live", moments[5]),
    ):
        with pytest.raises(NotFoundError, match="There was no"):
            registry.get(reference, at=moment)


def test_a_clock_that_was_ahead_once_hides_nothing(registry, clock):
    """The history stood still until that time: the champion of then was that of before."""
    for number in range(1, 5):
        clock(number)
        registry.register("mnist", b"%d" % number)
    clock(10)
    registry.set_alias("mnist", "live", 1)
    clock(3650)
    registry.set_alias("mnist", "live", 2)
    right = [clock(12), clock(14)]
    for number, moment in zip((3, 4), (12, 14), strict=True):
        clock(moment)
        registry.set_alias("mnist", "live", number)
    clock(15)
    assert registry.get("mnist@live", at=right[0]).number == 3
    assert registry.get("mnist@live", at=right[0] + timedelta(days=1)).number == 3
    assert registry.get("mnist@live", at=right[1]).number == 4
    assert registry.get("mnist@live", at=clock(15)).number == 4
    assert registry.get("mnist@live", at=START + timedelta(days=10, hours=1)).number == 1
    times = [event.at for event in reversed(registry.history("mnist"))]
    assert times == sorted(times)
    warnings = [f.text for f in registry.verify() if f.subject == "mnist"]
    assert len(warnings) == 2
    assert "event 6 has the time 2036" in warnings[0]
    assert "event 7 was written at 2026-12-02" in warnings[1]
    assert errors(registry) == []


def test_a_clock_that_was_behind_once_changes_no_answer(registry, clock):
    moments = []
    clock(0)
    for number in (1, 2):
        registry.register("mnist", b"%d" % number)
    for days, number in ((1, 1), (2, 2), (-20_000, 1), (4, 2)):
        moments.append(clock(days))
        registry.set_alias("mnist", "live", number)
    clock(5)
    assert [registry.get("mnist@live", at=moments[i]).number for i in (0, 3)] == [1, 2]
    assert registry.get("mnist@live", at=moments[0] + timedelta(hours=1)).number == 1
    warnings = [f.text for f in registry.verify() if f.subject == "mnist"]
    assert len(warnings) == 1
    assert "was written at 1972" in warnings[0]


def test_small_differences_between_clocks_are_not_worth_a_word(registry, clock):
    for days in (1, 1 - 50 / 86400, 1 + 1 / 86400):
        clock(days)
        registry.register("mnist", b"1")
    assert [f for f in registry.verify() if f.subject == "mnist"] == []
    assert "clock" not in registry.history("mnist")[0].details


def test_newest_first_is_by_number_whatever_was_imported_when(registry, tmp_path):
    """The list, its pages and `latest` agree."""
    for number in range(1, 5):
        registry.register("mnist", b"%d" % number, RunRecord(tags={"n": str(number)}))
        registry.register("letters", b"%d" % number)
        registry.export(f"mnist/{number}", tmp_path / str(number))
    with Registry(f"sqlite:///{tmp_path}/other.db", str(tmp_path / "others")) as other:
        for number in (4, 3, 1, 2):
            other.import_(tmp_path / str(number))
        for one in (registry, other):
            numbers = [v.number for v in one.versions() if v.name == "mnist"]
            assert numbers == [v.number for v in one.versions("mnist")] == [4, 3, 2, 1]
            assert one.versions("mnist", limit=1) == [one.latest("mnist")]
            assert [v.number for v in one.versions(where="tags.n != '9'")] == [4, 3, 2, 1]
        assert other.versions(limit=1) == [other.latest("mnist")]
    pages, last = [], None
    while page := registry.versions(limit=3, after=last):
        pages += page
        last = page[-1]
    assert pages == registry.versions()
    assert [v.name for v in pages] == ["letters"] * 4 + ["mnist"] * 4
