"""Deleting versions: what stays, what is freed, and what the history says afterwards."""

from datetime import timedelta

import pytest
from examples import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from registry_contents import PASSED, errors, execute, tables

from registry import (
    CollisionError,
    InvalidArgumentError,
    NotFoundError,
    Registry,
    RunRecord,
    VersionInUseError,
)


def _fill(registry, count, name="m"):
    for number in range(1, count + 1):
        registry.register(name, b"%d" % number * number, RunRecord(gate=PASSED, tags={"a": "b"}))


def _numbers(registry, name="m"):
    return [version.number for version in reversed(registry.versions(name))]


def _stored(registry):
    return {stored.sha256: stored.size for stored in registry._blobs.stored()}


def test_a_deleted_version_is_gone_and_its_event_stays(registry):
    _fill(registry, 3)
    sha256 = registry.get("m/2").sha256
    registry.archive("m/2")
    result = registry.delete("m/2", reason="trained on the wrong labels")
    assert (result.versions, result.blobs, result.size) == (("m/2",), 1, 2)
    assert sha256 not in _stored(registry)
    assert _numbers(registry) == [1, 3]
    event, *_ = registry.history("m")
    assert (event.kind, event.number, event.actor) == ("deleted", 2, "ann")
    assert dict(event.details) == {"reason": "trained on the wrong labels"}
    assert errors(registry) == []
    assert list(registry.verify("m/3")) == []


def test_asking_for_a_deleted_version_says_when_and_why_it_went(registry):
    _fill(registry, 2)
    registry.delete("m/2", reason="spoilt")
    for ask in (registry.get, registry.load, registry.archive, registry.delete):
        with pytest.raises(NotFoundError, match=r"m/2 was deleted by ann at 20.* UTC: spoilt\."):
            ask("m/2")
    with pytest.raises(NotFoundError, match=r"There is no m/3 in"):
        registry.get("m/3")


def test_a_number_is_never_assigned_again(registry):
    _fill(registry, 3)
    registry.delete("m/3")
    assert registry.register("m", b"four").number == 4


def test_a_version_in_use_is_not_deleted(registry):
    """Neither the live one, nor the one a rollback returns to, nor the only one."""
    _fill(registry, 1)
    with pytest.raises(VersionInUseError, match="m/1 cannot be deleted: it is the only version"):
        registry.delete("m/1")
    _fill(registry, 3)
    registry.set_alias("m", "champion", 1)
    registry.set_alias("m", "champion", 2)
    registry.set_alias("m", "canary", 3)
    before = tables(registry)
    for number, use in ((1, "a rollback of m@champion"), (2, "m@champion"), (3, "m@canary")):
        with pytest.raises(VersionInUseError, match=use):
            registry.delete(f"m/{number}")
    assert tables(registry) == before
    registry.delete("m/4")


def test_weights_that_another_version_has_stay(registry):
    _fill(registry, 2)
    registry.register("other", b"22")
    result = registry.delete("m/2")
    assert (result.blobs, result.size) == (0, 0)
    assert registry.load("other/1") == b"22"


def test_a_rollback_skips_versions_that_were_deleted(registry):
    _fill(registry, 4)
    for number in (1, 2, 3, 4):
        registry.set_alias("m", "champion", number)
    registry.delete("m/2")
    assert registry.rollback("m").number == 3
    assert registry.rollback("m").number == 1
    with pytest.raises(NotFoundError, match="has no previous version"):
        registry.rollback("m")
    registry.set_alias("m", "champion", 4)
    assert registry.rollback("m").number == 1


def test_weights_that_are_missing_are_no_obstacle(registry):
    _fill(registry, 2)
    registry._blobs.delete(registry.get("m/1").sha256)
    assert registry.prune("m", keep=1, dry_run=True).size == 0
    assert registry.delete("m/1").size == 0


def test_prune_keeps_the_newest_and_those_in_use(registry):
    _fill(registry, 8)
    registry.set_alias("m", "champion", 2)
    registry.set_alias("m", "champion", 4)
    result = registry.prune("m", keep=3, reason="retention")
    assert result.versions == ("m/1", "m/3", "m/5")
    assert (result.blobs, result.size) == (3, 1 + 3 + 5)
    assert _numbers(registry) == [2, 4, 6, 7, 8]
    assert {e.details["reason"] for e in registry.history("m") if e.kind == "deleted"} == {
        "retention"
    }
    assert registry.prune("m", keep=3).versions == ()
    assert errors(registry) == []


def test_prune_spares_what_is_younger(registry):
    _fill(registry, 3)
    assert registry.prune("m", keep=1, older_than=timedelta(hours=1)).versions == ()
    result = registry.prune("m", keep=1, older_than=timedelta(0))
    assert result.versions == ("m/1", "m/2")


def test_prune_refuses_what_it_does_not_understand(registry):
    _fill(registry, 2)
    for keep in (0, -1, True, 1.5):
        with pytest.raises(InvalidArgumentError):
            registry.prune("m", keep=keep)
    with pytest.raises(NotFoundError):
        registry.prune("nobody", keep=1)
    with pytest.raises(NotFoundError):
        registry.prune("nobody", keep=1, dry_run=True)


@settings(max_examples=examples(12), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    weights=st.lists(st.binary(max_size=3), min_size=1, max_size=8),
    moves=st.lists(st.integers(1, 8), max_size=4),
    keep=st.integers(1, 4),
)
def test_a_dry_run_tells_exactly_what_a_run_frees(new_registry, weights, moves, keep):
    with new_registry() as registry:
        for some in weights:
            registry.register("m", some)
        registry.register("shares", weights[0])
        for number in moves:
            if number <= len(weights):
                registry.set_alias("m", "live", number)
        stored, before = _stored(registry), tables(registry)
        planned = registry.prune("m", keep=keep, dry_run=True)
        assert (tables(registry), _stored(registry)) == (before, stored)
        assert registry.prune("m", keep=keep) == planned
        freed = [size for sha256, size in stored.items() if sha256 not in _stored(registry)]
        assert (planned.blobs, planned.size) == (len(freed), sum(freed))
        assert errors(registry) == []


def test_a_deleted_version_survives_export_and_import(registry, tmp_path):
    """As a deleted one: the other registry does not assign its number either."""
    _fill(registry, 4)
    registry.delete("m/4")
    registry.delete("m/2")
    assert registry.export("m", tmp_path / "file") == ("m/1", "m/3")
    with Registry(f"sqlite:///{tmp_path}/other.db", str(tmp_path / "other")) as other:
        assert other.import_(tmp_path / "file").added == ("m/1", "m/3")
        assert other.history("m") == registry.history("m")
        assert errors(other) == []
        assert other.register("m", b"five").number == 5


def test_an_import_does_not_bring_back_what_was_deleted(registry, tmp_path):
    _fill(registry, 3)
    registry.export("m", tmp_path / "file")
    registry.export("m/2", tmp_path / "one")
    registry.delete("m/2")
    imported = registry.import_(tmp_path / "file")
    assert (imported.added, imported.present) == ((), ("m/1", "m/3"))
    assert imported.deleted == ("m/2",)
    assert registry.import_(tmp_path / "one").deleted == ("m/2",)
    assert _numbers(registry) == [1, 3]


def test_an_import_of_another_version_under_a_deleted_number_is_refused(registry, tmp_path):
    _fill(registry, 2)
    registry.delete("m/2")
    with Registry(f"sqlite:///{tmp_path}/other.db", str(tmp_path / "other")) as other:
        _fill(other, 1)
        other.register("m", b"another")
        other.export("m/2", tmp_path / "file")
    with pytest.raises(CollisionError):
        registry.import_(tmp_path / "file")


def test_verify_finds_a_deleted_version_that_came_back(registry):
    _fill(registry, 2)
    rows = tables(registry)["versions"]
    registry.delete("m/2")
    again = next(row for row in rows if row[2] == 2)
    execute(
        registry,
        "INSERT INTO versions (id, model_id, number, state, blob_sha256, created_at, event_seq) "
        "VALUES (:id, :model, 2, 'ready', :sha256, 0, 2)",
        id=again[0] + 100,
        model=again[1],
        sha256=again[4],
    )
    assert any("m/2: it was deleted" in str(finding) for finding in errors(registry))


def test_verify_finds_a_number_that_would_be_assigned_again(registry):
    _fill(registry, 2)
    registry.delete("m/2")
    execute(registry, "UPDATE models SET next_number = 2")
    assert any("would be assigned again" in str(finding) for finding in errors(registry))


def test_weights_in_a_shared_store_stay(registry, tmp_path):
    """The other registry may have a version with the same weights."""
    _fill(registry, 2)
    with Registry(f"sqlite:///{tmp_path}/other.db", str(tmp_path / "blobs")) as other:
        other.register("m", b"1")
        assert registry.prune("m", keep=1, dry_run=True).size == 0
        assert registry.prune("m", keep=1).blobs == 0
        assert other.load("m/1") == b"1"
