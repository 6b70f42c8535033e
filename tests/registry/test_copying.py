"""Copying versions to other models and registries."""

import pickle

import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from registry_contents import PASSED, errors, tables

from registry import (
    DamagedBlobError,
    InvalidArgumentError,
    MissingBlobError,
    NotFoundError,
    Registry,
    RunRecord,
)


@pytest.fixture
def other(tmp_path):
    """Another registry, on SQLite, that has a version of its own."""
    address = f"sqlite:///{tmp_path}/other/registry.db"
    with Registry(address, str(tmp_path / "other" / "blobs"), actor="bob") as registry:
        registry.register("mnist", b"own")
        yield registry


@pytest.fixture
def full(registry):
    """A registry with a version that has everything."""
    registry.register("mnist", b"one", RunRecord(gate=PASSED))
    registry.register(
        "mnist",
        b"two",
        RunRecord(
            metrics={"accuracy": 0.98},
            params={"sizes": [784, 30]},
            tags={"team": "ocr"},
            inputs={"train": "ab" * 32},
            environment={"numpy": "2.1"},
            gate=PASSED,
            parent="mnist/1",
            code_version="1.0",
            run_id="run-1",
        ),
        idempotency_key="key",
    )
    registry.tag("mnist/2", {"reviewed": "yes"})
    registry.describe("mnist/2", "the good one")
    return registry


def test_a_copy_in_another_registry_has_everything_and_its_origin(full, other):
    source = full.get("mnist/2")
    copy = full.copy("mnist/2", to=other)
    assert (copy.reference, copy.created_by) == ("mnist/2", "bob")
    for same in ("sha256", "size", "metrics", "params", "tags", "inputs", "environment", "gate"):
        assert getattr(copy, same) == getattr(source, same)
    assert (copy.code_version, copy.run_id) == ("1.0", "run-1")
    assert copy.description == "the good one"
    assert copy.parent is None
    origin = copy.origin
    assert origin is not None
    assert (origin.reference, origin.parent) == ("mnist/2", "mnist/1")
    assert (origin.created_at, origin.created_by) == (source.created_at, "ann")
    registered = next(e for e in full.history("mnist") if e.kind == "registered")
    assert (registered.number, registered.hash) == (2, origin.event)
    assert origin.registry == full._database.address
    assert other.load("mnist/2") == b"two"
    assert other.get("mnist/2") == copy
    assert pickle.loads(pickle.dumps(copy)) == copy
    assert other.set_alias("mnist", "champion", 2).aliases == ("champion",)
    assert errors(other) == errors(full) == []


def test_a_copy_in_another_model_of_the_same_registry(full):
    copy = full.copy("mnist/2", name="production")
    assert copy.reference == "production/1"
    assert copy.origin.reference == "mnist/2"
    with pytest.raises(InvalidArgumentError, match="another model, or another registry"):
        full.copy("mnist/2")


def test_a_copy_is_made_once(full, other):
    """By whatever way it comes."""
    copy = full.copy("mnist/2", to=other)
    before = tables(other)
    assert full.copy("mnist/2", to=other) == copy
    production = full.copy("mnist/2", name="production")
    assert full.copy("production/1", to=other, name="mnist") == copy
    assert tables(other) == before
    assert production.origin == copy.origin


def test_what_cannot_be_read_is_not_copied(full, other, tmp_path):
    before = tables(other)
    with pytest.raises(NotFoundError):
        full.copy("mnist/3", to=other)
    sha256 = full.get("mnist/2").sha256
    path = tmp_path / "blobs" / "sha256" / sha256[:2] / sha256
    path.chmod(0o644)
    path.write_bytes(b"tw0")
    with pytest.raises(DamagedBlobError):
        full.copy("mnist/2", to=other)
    path.unlink()
    with pytest.raises(MissingBlobError):
        full.copy("mnist/2", to=other)
    assert tables(other) == before


def test_a_copy_survives_export_and_import(full, other, tmp_path):
    copy = full.copy("mnist/2", to=other)
    other.export("mnist", tmp_path / "file")
    with Registry(f"sqlite:///{tmp_path}/third.db", str(tmp_path / "third")) as third:
        third.import_(tmp_path / "file")
        assert third.get("mnist/2") == copy
        assert errors(third) == []


@settings(max_examples=examples(10), deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=8))
def test_records_do_not_grow_with_the_number_of_hops(tmp_path_factory, names):
    directory = tmp_path_factory.mktemp("hops")
    with Registry(f"sqlite:///{directory}/r.db", str(directory / "blobs")) as registry:
        version = registry.register("first", b"weights", RunRecord(run_id="run"))
        for name in names:
            if name != version.name:
                version = registry.copy(version.reference, name=name)
                assert version.origin.reference == "first/1"
        # A copy is made once, so each model has at most one.
        assert len(registry.versions()) == 1 + len(set(names))
        assert errors(registry) == []
