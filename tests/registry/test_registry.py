"""The registry, used by one process."""

import hashlib
import math
from dataclasses import FrozenInstanceError
from datetime import UTC, datetime, timedelta

import pytest

from registry import (
    DamagedBlobError,
    IdempotencyConflictError,
    InvalidArgumentError,
    MissingBlobError,
    NotFoundError,
    RunRecord,
    UnavailableError,
)

WEIGHTS = b"some weights"
DIGEST = hashlib.sha256(WEIGHTS).hexdigest()


def _blob(tmp_path, digest=DIGEST):
    return tmp_path / "blobs" / "sha256" / digest[:2] / digest


def test_a_version_holds_what_was_registered(registry):
    before = datetime.now(UTC)
    version = registry.register(
        "mnist",
        WEIGHTS,
        RunRecord(
            metrics={"validation_accuracy": 0.98, "epochs": 3},
            params={
                "sizes": [784, 30, 10],
                "activation": "relu",
                "l2": 0.1,
                "seed": None,
                "b": True,
            },
            tags={"team": "ocr", "note": ""},
            inputs={"train_images": "ab" * 32},
            run_id="run-1",
        ),
    )
    assert (version.name, version.number, version.reference) == ("mnist", 1, "mnist/1")
    assert (version.sha256, version.size, version.state) == (DIGEST, len(WEIGHTS), "ready")
    assert version.metrics == {"validation_accuracy": 0.98, "epochs": 3.0}
    assert version.params == {
        "sizes": [784, 30, 10],
        "activation": "relu",
        "l2": 0.1,
        "seed": None,
        "b": True,
    }
    assert version.tags == {"team": "ocr", "note": ""}
    assert version.inputs == {"train_images": "ab" * 32}
    assert (version.run_id, version.aliases) == ("run-1", ())
    assert before <= version.created_at + timedelta(microseconds=1)
    assert version.created_at <= datetime.now(UTC)
    assert registry.get("mnist/1") == version
    assert registry.load("mnist/1") == WEIGHTS


def test_a_version_cannot_be_changed(registry):
    version = registry.register("mnist", WEIGHTS, RunRecord(metrics={"a": 1.0}))
    with pytest.raises(FrozenInstanceError):
        version.number = 2
    with pytest.raises(TypeError):
        version.metrics["a"] = 2.0


def test_each_model_counts_its_own_versions_from_one(registry):
    numbers = [registry.register(name, WEIGHTS).number for name in ("a", "b", "a", "a", "b")]
    assert numbers == [1, 1, 2, 3, 2]


def test_versions_are_listed_by_model_and_newest_first(registry):
    for name in ("a", "b", "a"):
        registry.register(name, WEIGHTS, RunRecord(tags={"of": name}))
    assert [v.reference for v in registry.versions()] == ["a/2", "a/1", "b/1"]
    assert [v.reference for v in registry.versions("a")] == ["a/2", "a/1"]
    assert [v.reference for v in registry.versions(limit=1)] == ["a/2"]
    assert all(v.tags == {"of": v.name} for v in registry.versions())
    assert registry.versions("c") == []


def test_an_alias_moves_and_is_listed_with_its_version(registry):
    for _ in range(2):
        registry.register("mnist", WEIGHTS)
    assert registry.set_alias("mnist", "live", 1).aliases == ("live",)
    registry.set_alias("mnist", "challenger", 1)
    assert registry.get("mnist@live").aliases == ("challenger", "live")
    assert registry.set_alias("mnist", "live", 2).number == 2
    assert [v.aliases for v in registry.versions()] == [("live",), ("challenger",)]


def test_aliases_of_one_model_are_not_those_of_another(registry):
    for name in ("a", "b"):
        registry.register(name, WEIGHTS)
    registry.set_alias("a", "live", 1)
    assert [v.aliases for v in registry.versions()] == [("live",), ()]
    with pytest.raises(NotFoundError):
        registry.get("b@live")


def test_an_alias_cannot_point_at_a_missing_version(registry):
    registry.register("mnist", WEIGHTS)
    registry.set_alias("mnist", "live", 1)
    with pytest.raises(NotFoundError, match="no mnist/2 in the registry"):
        registry.set_alias("mnist", "live", 2)
    with pytest.raises(NotFoundError, match="no model other in the registry"):
        registry.set_alias("other", "live", 1)
    assert registry.get("mnist@live").number == 1


@pytest.mark.parametrize("reference", ["mnist/2", "mnist@live", "other/1", "other@live"])
def test_a_missing_version_is_an_error_and_not_none(registry, reference):
    registry.register("mnist", WEIGHTS)
    for ask in (registry.get, registry.load):
        with pytest.raises(
            NotFoundError, match=f"There is no {reference} in the registry"
        ) as caught:
            ask(reference)
        assert caught.value.reference == reference
        assert isinstance(caught.value, LookupError)


def test_a_repeated_registration_returns_the_first_version(registry):
    first = registry.register(
        "mnist", WEIGHTS, RunRecord(metrics={"a": 1.0}), idempotency_key="run-1"
    )
    assert registry.register("mnist", WEIGHTS, idempotency_key="run-1") == first
    assert registry.register("mnist", WEIGHTS, idempotency_key="run-2").number == 2
    assert registry.register("other", WEIGHTS, idempotency_key="run-1").reference == "other/1"
    assert len(registry.versions()) == 3


def test_an_idempotency_key_with_other_weights_is_a_conflict(registry):
    registry.register("mnist", WEIGHTS, idempotency_key="run-1")
    with pytest.raises(IdempotencyConflictError, match="'run-1' belongs to mnist/1"):
        registry.register("mnist", b"others", idempotency_key="run-1")
    assert len(registry.versions()) == 1


def test_equal_weights_are_stored_once(registry, tmp_path):
    for _ in range(3):
        registry.register("mnist", WEIGHTS)
    stored = (tmp_path / "blobs" / "sha256").rglob("*")
    assert [path for path in stored if path.is_file()] == [_blob(tmp_path)]


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("metrics", {"a": math.nan}),
        ("metrics", {"a": math.inf}),
        ("metrics", {"a": "0.9"}),
        ("metrics", {"a": True}),
        ("metrics", {"": 1.0}),
        ("metrics", {1: 1.0}),
        ("params", {"a": object()}),
        ("params", {"a": math.nan}),
        ("params", {"a": "x" * 2000}),
        ("tags", {"a": 1}),
        ("tags", {"a": "x" * 2001}),
        ("tags", {"x" * 2001: "a"}),
        ("inputs", {"a": "abc"}),
        ("inputs", {"a": "G" * 64}),
        ("inputs", {"a": "A" * 64}),
        ("run_id", ""),
        ("run_id", "x" * 2001),
        ("idempotency_key", ""),
    ],
)
def test_invalid_values_are_refused_before_anything_is_stored(sqlite, tmp_path, argument, value):
    key = {argument: value} if argument == "idempotency_key" else {}
    record = RunRecord() if key else RunRecord(**{argument: value})
    with pytest.raises(InvalidArgumentError, match=argument):
        sqlite.register("mnist", WEIGHTS, record, **key)
    assert sqlite.versions() == []
    assert not (tmp_path / "blobs").exists()


@pytest.mark.parametrize(
    "name", ["", "Mnist", "1mnist", "../mnist", "a/b", "a@b", "a b", "a\n", "a" * 65, "é", "-a"]
)
def test_names_are_short_and_plain(sqlite, name):
    sqlite.register("mnist", WEIGHTS)
    with pytest.raises(InvalidArgumentError, match="model name"):
        sqlite.register(name, WEIGHTS)
    with pytest.raises(InvalidArgumentError, match="model name"):
        sqlite.versions(name)
    with pytest.raises(InvalidArgumentError, match="alias"):
        sqlite.set_alias("mnist", name, 1)
    assert [v.reference for v in sqlite.versions()] == ["mnist/1"]


@pytest.mark.parametrize(
    "reference",
    [
        *("", "mnist", "mnist/", "mnist/0", "mnist/01", "mnist/-1", "mnist@", "mnist/1\n"),
        *("mnist/1@champion", "mnist@1", "mnist/" + "9" * 30, "../mnist/1", "mnist/1 or 1=1"),
    ],
)
def test_a_reference_has_one_of_two_forms(sqlite, reference):
    sqlite.register("mnist", WEIGHTS)
    with pytest.raises(InvalidArgumentError, match="name@alias or name/number"):
        sqlite.get(reference)


def test_any_flipped_bit_is_found(sqlite, tmp_path):
    sqlite.register("mnist", WEIGHTS)
    _blob(tmp_path).chmod(0o644)
    for bit in range(len(WEIGHTS) * 8):
        damaged = bytearray(WEIGHTS)
        damaged[bit // 8] ^= 1 << bit % 8
        _blob(tmp_path).write_bytes(damaged)
        with pytest.raises(DamagedBlobError, match=DIGEST) as caught:
            sqlite.load("mnist/1")
        assert caught.value.got == hashlib.sha256(damaged).hexdigest()


@pytest.mark.parametrize("damage", ["missing", "emptied", "longer"])
def test_registering_again_repairs_missing_or_damaged_weights(registry, tmp_path, damage):
    registry.register("mnist", WEIGHTS)
    path = _blob(tmp_path)
    path.unlink()
    if damage != "missing":
        path.write_bytes(b"" if damage == "emptied" else WEIGHTS + b"!")
    error = MissingBlobError if damage == "missing" else DamagedBlobError
    with pytest.raises(error, match=str(path)):
        registry.load("mnist/1")
    registry.register("mnist", WEIGHTS)
    assert registry.load("mnist/1") == WEIGHTS


def test_weights_are_not_read_through_a_link(registry, tmp_path):
    """Somebody who can write to the store cannot make the registry read another file."""
    registry.register("mnist", WEIGHTS)
    (tmp_path / "elsewhere").write_bytes(WEIGHTS)
    _blob(tmp_path).unlink()
    _blob(tmp_path).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UnavailableError, match="cannot be read or written"):
        registry.load("mnist/1")
    [finding] = [found for found in registry.verify() if found.severity == "error"]
    assert finding.subject == f"blob {DIGEST[:12]}"
