"""Blob stores: directories and objects, and a registry on S3."""

import errno
import hashlib
import os
import socket
import time
import uuid
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from examples import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import fs
from registry_contents import PASSED, errors

from registry import (
    DamagedBlobError,
    MissingBlobError,
    Registry,
    RunRecord,
    UnavailableError,
    UnsupportedError,
    durability,
)
from registry.blobs import open_blobs

AT_ONCE = timedelta(seconds=-10)


@pytest.fixture
def address(s3):
    """The address of an empty prefix in the bucket."""
    return s3.address(f"weights/{uuid.uuid4().hex}")


@pytest.fixture
def registry(address, tmp_path):
    """A registry with its weights in an object store."""
    with Registry(f"sqlite:///{tmp_path}/objects.db", address, actor="ann") as registry:
        yield registry


@pytest.fixture(params=["directory", "objects"])
def blobs(request, tmp_path):
    """A store of each kind."""
    if request.param == "directory":
        return open_blobs(str(tmp_path / "blobs"))
    return open_blobs(request.getfixturevalue("address"))


def _write(blobs, sha256, data):
    """Replace the content of a blob, or remove it if `data` is None."""
    if hasattr(blobs, "_fs"):
        files, path = blobs._fs, blobs.location_of(sha256)
    else:
        files, path = fs.LocalFileSystem(), blobs.location_of(sha256)
        files.delete_file(path)
    if data is None:
        if hasattr(blobs, "_fs"):
            files.delete_file(path)
        return
    with files.open_output_stream(path) as stream:
        stream.write(data)


# Both kinds of store.


@pytest.mark.parametrize("data", [b"", b"weights", bytes(range(256)) * 5000])
def test_stored_data_can_be_read(blobs, data):
    sha256 = blobs.put(data)
    assert sha256 == hashlib.sha256(data).hexdigest()
    assert blobs.get(sha256) == data
    assert blobs.has(sha256)
    assert blobs.location_of(sha256).endswith(f"sha256/{sha256[:2]}/{sha256}")


@given(many=st.lists(st.binary(max_size=50), max_size=4))
@settings(max_examples=examples(10), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_equal_data_is_stored_once(blobs, many):
    for data in [*many, *many]:
        assert blobs.get(blobs.put(data)) == data
    found = {stored.sha256: stored.size for stored in blobs.stored()}
    for data in many:
        assert found[hashlib.sha256(data).hexdigest()] == len(data)


def test_a_new_store_is_empty(blobs):
    nothing = "0" * 64
    assert list(blobs.stored()) == []
    assert list(blobs.temporary_files(2e9)) == []
    assert not blobs.has(nothing)
    blobs.delete(nothing)
    with pytest.raises(MissingBlobError, match=f"Weights {nothing} are missing: expected them at"):
        blobs.get(nothing)


def test_deleted_data_can_be_stored_again(blobs):
    sha256 = blobs.put(b"weights")
    blobs.delete(sha256)
    blobs.delete(sha256)
    assert not blobs.has(sha256)
    assert list(blobs.stored()) == []
    assert blobs.put(b"weights") == sha256
    assert blobs.get(sha256) == b"weights"


def test_a_listing_has_sizes_and_times_and_ignores_other_files(blobs):
    first, second = blobs.put(b"one"), blobs.put(b"three")
    place = blobs.location_of(first)
    files = getattr(blobs, "_fs", fs.LocalFileSystem())
    for name in ("readme.txt", "A" * 64, "0" * 63):
        with files.open_output_stream(f"{place.rpartition('/')[0]}/{name}") as stream:
            stream.write(b"other")
    found = {stored.sha256: stored for stored in blobs.stored()}
    assert {sha256: stored.size for sha256, stored in found.items()} == {first: 3, second: 5}
    assert all(stored.changed_at > 1e9 for stored in found.values())


@pytest.mark.parametrize("damage", [b"", b"others!", b"weights and more"])
def test_storing_again_repairs_damage(blobs, damage):
    sha256 = blobs.put(b"weights")
    _write(blobs, sha256, damage)
    with pytest.raises(DamagedBlobError, match=f"Weights {sha256} are damaged") as caught:
        blobs.get(sha256)
    assert caught.value.got == hashlib.sha256(damage).hexdigest()
    blobs.put(b"weights")
    assert blobs.get(sha256) == b"weights"


# The registry on S3.


def test_a_registry_keeps_its_weights_as_objects(registry, address, tmp_path):
    version = registry.register("mnist", b"weights", RunRecord(gate=PASSED))
    registry.set_alias("mnist", "champion", 1)
    assert registry.load("mnist@champion") == b"weights"
    assert [p.name for p in tmp_path.iterdir() if "objects.db" not in p.name] == []
    # Another client of the same database and bucket reads the same.
    with Registry(f"sqlite:///{tmp_path}/objects.db", address) as other:
        assert other.load("mnist/1") == b"weights"
        assert other.get("mnist/1") == registry.get("mnist/1")
    path = registry._blobs.location_of(version.sha256)
    parts = urlsplit(address)
    assert path.startswith(f"{parts.netloc.rpartition('@')[2]}{parts.path}/sha256/")
    assert errors(registry) == []


def test_missing_or_damaged_objects_are_found_and_repaired(registry):
    version = registry.register("mnist", b"weights")
    registry.register("mnist", b"others")
    damages = [(None, MissingBlobError), (b"x", DamagedBlobError), (b"", DamagedBlobError)]
    for data, error in damages:
        _write(registry._blobs, version.sha256, data)
        with pytest.raises(error):
            registry.load("mnist/1")
        for reference in (None, "mnist/1"):
            assert [f.subject for f in errors(registry, reference)] == [
                f"blob {version.sha256[:12]}"
            ]
        assert errors(registry, "mnist/2") == []
        registry.register("mnist", b"weights")
        assert registry.load("mnist/1") == b"weights"
        assert errors(registry) == []


def test_unreferenced_objects_are_removed(registry):
    registry.register("mnist", b"weights")
    registry._blobs.put(b"orphan")
    assert registry.gc().blobs == 0
    assert registry.gc(grace=AT_ONCE, unknown=True, dry_run=True).blobs == 1
    collected = registry.gc(grace=AT_ONCE, unknown=True)
    assert (collected.blobs, collected.temporary_files, collected.size) == (1, 0, 6)
    assert registry.gc(grace=AT_ONCE, unknown=True).blobs == 0
    assert registry.load("mnist/1") == b"weights"
    assert errors(registry) == []


def test_models_move_between_files_and_objects(registry, sqlite, tmp_path):
    sqlite.register("mnist", b"weights", RunRecord(gate=PASSED))
    sqlite.export("mnist", tmp_path / "file")
    registry.import_(tmp_path / "file")
    assert registry.load("mnist/1") == b"weights"
    registry.export("mnist", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == (tmp_path / "file").read_bytes()


# Errors, and secrets in their messages.

SECRET = "pass-word-1234"


def _told(error):
    """Return all texts of an error and its causes."""
    texts = []
    while error is not None:
        texts += [str(error), repr(error)]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return " ".join(texts)


def test_a_missing_endpoint_is_one_clear_error(tmp_path):
    with socket.socket() as taken:
        # The port is bound, but nobody listens.
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        address = (
            f"s3://key:{SECRET}@bucket/prefix?scheme=http&region=us-east-1"
            f"&endpoint_override=127.0.0.1:{port}"
        )
        with Registry(f"sqlite:///{tmp_path}/registry.db", address) as registry:
            with pytest.raises(UnavailableError, match="cannot be read or written") as caught:
                registry.register("mnist", b"weights")
            assert SECRET not in _told(caught.value)
            assert registry.versions() == []


def test_a_missing_bucket_is_one_clear_error(s3, tmp_path):
    address = s3.address("prefix").replace(f"@{s3.bucket}/", "@never/").replace("secret", SECRET)
    with Registry(f"sqlite:///{tmp_path}/registry.db", address) as registry:
        with pytest.raises(UnavailableError, match="never/prefix cannot be") as caught:
            registry.register("mnist", b"weights")
        assert SECRET not in _told(caught.value)
        assert SECRET not in repr(registry)
        assert registry.versions() == []


def test_no_message_about_weights_has_a_secret(s3, tmp_path):
    address = s3.address(uuid.uuid4().hex).replace("secret", SECRET)
    with Registry(f"sqlite:///{tmp_path}/registry.db", address) as registry:
        version = registry.register("mnist", b"weights")
        for data in (b"x", None):
            _write(registry._blobs, version.sha256, data)
            with pytest.raises((MissingBlobError, DamagedBlobError)) as caught:
                registry.load("mnist/1")
            assert SECRET not in _told(caught.value)
            assert all(SECRET not in str(finding) for finding in registry.verify())


@pytest.mark.parametrize(
    "address",
    [
        f"s3://key:{SECRET}@bucket/prefix?never={SECRET}",
        f"s3://key:{SECRET}@",
        f"never://key:{SECRET}@host/prefix",
        f"s3://key:{SECRET}@[bucket/prefix",
        f"https://key:{SECRET}@host/prefix?token={SECRET}",
        f"abfs://{SECRET}@",
    ],
)
def test_no_message_about_an_address_has_a_secret(tmp_path, address):
    with pytest.raises(UnsupportedError) as caught:
        Registry(f"sqlite:///{tmp_path}/registry.db", address)
    assert SECRET not in _told(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql+psycopg://user:{SECRET}@127.0.0.1:1/database",
        f"postgresql://user:{SECRET}@127.0.0.1:1/database?connect_timeout=1",
        f"postgresql+asyncpg://user:{SECRET}@host/database",
        f"mysql://user:{SECRET}@host/database",
        f"postgresql+psycopg://user:{SECRET}@host:port/database",
        f"user:{SECRET}@host",
        f"postgresql+psycopg://127.0.0.1:1/database?user=user&password={SECRET}",
        f"postgresql+psycopg://user:{SECRET}?@127.0.0.1:1/database",
        f"sqlite://user:{SECRET}@host/database",
        f"sqlite:///registry.db?key={SECRET}",
    ],
)
def test_no_message_about_a_database_has_a_secret(tmp_path, url):
    with pytest.raises((UnavailableError, UnsupportedError)) as caught:
        Registry(url, str(tmp_path / "blobs"))
    assert SECRET not in _told(caught.value)


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_file_system_without_hard_links_will_do(sqlite, monkeypatch, number):
    """Registering failed on exFAT and SMB, after the training."""

    def refuse(self, target):
        raise OSError(number, os.strerror(number), str(self), None, str(target))

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    for weights in (b"one", b"two", b"one"):
        sqlite.register("mnist", weights)
    assert [sqlite.load(f"mnist/{n}") for n in (1, 2, 3)] == [b"one", b"two", b"one"]
    assert sqlite.gc(grace=AT_ONCE, unknown=True).blobs == 0
    assert [f for f in sqlite.verify() if f.severity == "error"] == []


def test_no_version_is_committed_before_its_weights_are_on_disk(sqlite, tmp_path, monkeypatch):
    """The disk writes them during the transaction, which waits for it and fails if it fails."""
    sqlite.register("mnist", b"1")
    synced = []
    original = durability.fsync

    def fsync(path):
        time.sleep(0.05)
        original(path)
        synced.append(path)

    monkeypatch.setattr(durability, "fsync", fsync)
    sha256 = sqlite.register("mnist", b"2").sha256
    path = tmp_path / "blobs" / "sha256" / sha256[:2] / sha256
    assert {path, path.parent} <= set(synced)
    synced.clear()
    # Also if another writer has stored them, who may still be waiting.
    sqlite.register("mnist", b"2")
    assert {path, path.parent} <= set(synced)

    def fail(path):
        raise OSError(errno.EIO, "Input/output error", str(path))

    monkeypatch.setattr(durability, "fsync", fail)
    with pytest.raises(UnavailableError, match="Input/output error"):
        sqlite.register("mnist", b"2")
    monkeypatch.undo()
    assert sqlite.latest("mnist").number == 3
    assert sqlite.register("mnist", b"3").number == 4


def test_weights_are_stored_after_a_fork_as_well(sqlite):
    """Threads do not survive a fork, so none may be kept to wait for the disk."""
    sqlite.register("mnist", b"1")
    process = os.fork()
    if process == 0:
        status = 1
        try:
            status = 0 if sqlite.register("mnist", b"2").number == 2 else 1
        finally:
            os._exit(status)
    assert os.waitpid(process, 0)[1] == 0
    assert sqlite.load("mnist/2") == b"2"


def test_weights_that_are_replaced_while_the_disk_writes_are_waited_for(tmp_path, monkeypatch):
    """Garbage collection removed them, and another writer stored them again."""
    blobs = open_blobs(str(tmp_path))
    sha256, wait = blobs.put_soon(b"weights")
    path = tmp_path / "sha256" / sha256[:2] / sha256
    wait()
    sha256, wait = blobs.put_soon(b"weights")
    blobs.delete(sha256)
    blobs.put_soon(b"weights")
    synced = []
    monkeypatch.setattr("registry.blobs.directory.fsync", synced.append)
    wait()
    assert synced == [path, path.parent]
    monkeypatch.undo()
    _, wait = blobs.put_soon(b"weights")
    blobs.delete(sha256)
    with pytest.raises(UnavailableError):
        wait()
