"""A blob store knows the registries that use it, and garbage collection removes only what is safe.

In use, a store was emptied by a registry that had nothing to do with it: one unset variable was
enough. The same happened after the database was restored from a backup.
"""

import os
import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta

import pytest
from registry_contents import errors, files

from registry import Registry, SharedStoreError

AT_ONCE = timedelta(seconds=-10)


def _weights(directory):
    return {name for name in files(directory) if "sha256" in name}


def test_a_registry_never_removes_the_weights_of_another(registry, url, tmp_path):
    for number in range(2):
        registry.register("mnist", b"%d" % number)
    before = _weights(tmp_path / "blobs")
    with Registry(f"sqlite:///{tmp_path}/other/registry.db", str(tmp_path / "blobs")) as other:
        for options in ({}, {"unknown": True}, {"dry_run": True}):
            with pytest.raises(SharedStoreError, match="registries/") as error:
                other.gc(grace=AT_ONCE, **options)
            assert error.value.others == (registry._database.registry_id,)
        assert _weights(tmp_path / "blobs") == before
        # The other one is told as well, once the store has two users.
        other.register("letters", b"letters")
        for one in (other, registry):
            with pytest.raises(SharedStoreError):
                one.gc(grace=AT_ONCE, unknown=True)
            assert [f.severity for f in one.verify() if f.subject == "blob store"] == ["warning"]
            assert errors(one) == []
        left = tmp_path / "blobs" / "registries" / other._database.registry_id
        left.unlink()
    registry.gc(grace=AT_ONCE)
    assert _weights(tmp_path / "blobs") >= before


def test_weights_that_the_history_does_not_know_are_removed_only_on_demand(registry, tmp_path):
    registry.register("mnist", b"one")
    registry._blobs.put(b"unknown")
    before = _weights(tmp_path / "blobs")
    result = registry.gc(grace=AT_ONCE)
    assert (result.blobs, result.unknown) == (0, 1)
    assert _weights(tmp_path / "blobs") == before
    assert registry.gc(grace=AT_ONCE, unknown=True).blobs == 1
    assert len(_weights(tmp_path / "blobs")) == 1


def test_a_restored_database_keeps_what_was_registered_since_its_backup(sqlite, tmp_path):
    sqlite.register("mnist", b"one")
    with closing(sqlite3.connect(tmp_path / "registry.db")) as connection, connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    shutil.copy(tmp_path / "registry.db", tmp_path / "backup.db")
    sqlite.register("mnist", b"two")
    sqlite.close()
    for path in tmp_path.glob("registry.db-*"):
        path.unlink()
    (tmp_path / "backup.db").replace(tmp_path / "registry.db")
    with Registry(f"sqlite:///{tmp_path}/registry.db", str(tmp_path / "blobs")) as restored:
        before = _weights(tmp_path / "blobs")
        assert restored.gc(grace=AT_ONCE).unknown == 1
        assert _weights(tmp_path / "blobs") == before
        for path in before:
            os.utime(tmp_path / "blobs" / path, (0, 0))
        texts = [finding.text for finding in restored.verify()]
        assert any("restored from" in text for text in texts)
        assert not any("garbage collection removes it" in text for text in texts)


def test_a_registry_claims_its_store_once(registry, tmp_path):
    """A claim is durable and says whose it is; opening and reading leave none."""
    owners = tmp_path / "blobs" / "registries"
    registry.versions()
    assert not owners.exists()
    for number in range(2):
        registry.register("mnist", b"%d" % number)
    (owner,) = owners.iterdir()
    assert owner.name == registry._database.registry_id
    assert registry._database.address in owner.read_text()
    assert "secret" not in owner.read_text()
