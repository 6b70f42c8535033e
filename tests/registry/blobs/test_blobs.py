"""Weights in a directory and in an object store: what both promise, and the registry on S3."""

import hashlib
import socket
import uuid
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
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
)
from registry.blobs import open_blobs

AT_ONCE = timedelta(seconds=-10)


@pytest.fixture
def address(s3):
    """An empty place in the bucket."""
    return s3.address(f"weights/{uuid.uuid4().hex}")


@pytest.fixture
def registry(address, tmp_path):
    """A registry whose weights are objects."""
    with Registry(f"sqlite:///{tmp_path}/objects.db", address, actor="ann") as registry:
        yield registry


@pytest.fixture(params=["directory", "objects"])
def blobs(request, tmp_path):
    """A store of each kind."""
    if request.param == "directory":
        return open_blobs(str(tmp_path / "blobs"))
    return open_blobs(request.getfixturevalue("address"))


def _write(blobs, sha256, data):
    """Put other data, or none, where a blob is."""
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


# What both promise.


@pytest.mark.parametrize("data", [b"", b"weights", bytes(range(256)) * 5000])
def test_what_was_put_is_got(blobs, data):
    sha256 = blobs.put(data)
    assert sha256 == hashlib.sha256(data).hexdigest()
    assert blobs.get(sha256) == data
    assert blobs.has(sha256)
    assert blobs.location_of(sha256).endswith(f"sha256/{sha256[:2]}/{sha256}")


@given(many=st.lists(st.binary(max_size=50), max_size=4))
@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_same_is_stored_once(blobs, many):
    for data in [*many, *many]:
        assert blobs.get(blobs.put(data)) == data
    found = {stored.sha256: stored.size for stored in blobs.stored()}
    for data in many:
        assert found[hashlib.sha256(data).hexdigest()] == len(data)


def test_a_store_that_is_not_there_yet_is_empty(blobs):
    nothing = "0" * 64
    assert list(blobs.stored()) == []
    assert list(blobs.temporary_files(2e9)) == []
    assert not blobs.has(nothing)
    blobs.delete(nothing)
    with pytest.raises(MissingBlobError, match=f"Weights {nothing} are missing: expected them at"):
        blobs.get(nothing)


def test_what_was_deleted_is_gone_and_can_come_again(blobs):
    sha256 = blobs.put(b"weights")
    blobs.delete(sha256)
    blobs.delete(sha256)
    assert not blobs.has(sha256)
    assert list(blobs.stored()) == []
    assert blobs.put(b"weights") == sha256
    assert blobs.get(sha256) == b"weights"


def test_a_listing_tells_size_and_time_and_passes_over_what_is_no_blob(blobs):
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
def test_damage_is_told_and_healed_by_putting_the_same_again(blobs, damage):
    sha256 = blobs.put(b"weights")
    _write(blobs, sha256, damage)
    with pytest.raises(DamagedBlobError, match=f"Weights {sha256} are damaged") as told:
        blobs.get(sha256)
    assert told.value.got == hashlib.sha256(damage).hexdigest()
    blobs.put(b"weights")
    assert blobs.get(sha256) == b"weights"


# The registry on S3.


def test_a_registry_keeps_its_weights_as_objects(registry, address, tmp_path):
    version = registry.register("mnist", b"weights", RunRecord(gate=PASSED))
    registry.set_alias("mnist", "champion", 1)
    assert registry.load("mnist@champion") == b"weights"
    assert [p.name for p in tmp_path.iterdir() if "objects.db" not in p.name] == []
    # Another machine, with the same database and bucket, sees the same.
    with Registry(f"sqlite:///{tmp_path}/objects.db", address) as other:
        assert other.load("mnist/1") == b"weights"
        assert other.get("mnist/1") == registry.get("mnist/1")
    path = registry._blobs.location_of(version.sha256)
    parts = urlsplit(address)
    assert path.startswith(f"{parts.netloc.rpartition('@')[2]}{parts.path}/sha256/")
    assert errors(registry) == []


def test_objects_that_are_missing_or_damaged_are_found_and_healed(registry):
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


def test_objects_that_nothing_refers_to_are_collected(registry):
    registry.register("mnist", b"weights")
    registry._blobs.put(b"orphan")
    assert registry.gc().blobs == 0
    assert registry.gc(grace=AT_ONCE, dry_run=True).blobs == 1
    collected = registry.gc(grace=AT_ONCE)
    assert (collected.blobs, collected.temporary_files, collected.size) == (1, 0, 6)
    assert registry.gc(grace=AT_ONCE).blobs == 0
    assert registry.load("mnist/1") == b"weights"
    assert errors(registry) == []


def test_models_go_from_files_to_objects_and_back(registry, sqlite, tmp_path):
    sqlite.register("mnist", b"weights", RunRecord(gate=PASSED))
    sqlite.export("mnist", tmp_path / "file")
    registry.import_(tmp_path / "file")
    assert registry.load("mnist/1") == b"weights"
    registry.export("mnist", tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == (tmp_path / "file").read_bytes()


# What cannot be reached, and what must not be told.

SECRET = "pass-word-1234"


def _told(error):
    """Everything an error shows, with what caused it."""
    texts = []
    while error is not None:
        texts += [str(error), repr(error)]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return " ".join(texts)


def test_an_endpoint_that_is_not_there_is_one_clear_error(tmp_path):
    with socket.socket() as taken:
        # Nobody listens on a port that is only taken.
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        address = (
            f"s3://key:{SECRET}@bucket/prefix?scheme=http&region=us-east-1"
            f"&endpoint_override=127.0.0.1:{port}"
        )
        with Registry(f"sqlite:///{tmp_path}/registry.db", address) as registry:
            with pytest.raises(UnavailableError, match="cannot be read or written") as told:
                registry.register("mnist", b"weights")
            assert SECRET not in _told(told.value)
            assert registry.versions() == []


def test_a_bucket_that_is_not_there_is_one_clear_error(s3, tmp_path):
    address = s3.address("prefix").replace(f"@{s3.bucket}/", "@never/").replace("secret", SECRET)
    with Registry(f"sqlite:///{tmp_path}/registry.db", address) as registry:
        with pytest.raises(UnavailableError, match="never/prefix cannot be") as told:
            registry.register("mnist", b"weights")
        assert SECRET not in _told(told.value)
        assert SECRET not in repr(registry)
        assert registry.versions() == []


def test_no_message_about_weights_has_a_secret(s3, tmp_path):
    address = s3.address(uuid.uuid4().hex).replace("secret", SECRET)
    with Registry(f"sqlite:///{tmp_path}/registry.db", address) as registry:
        version = registry.register("mnist", b"weights")
        for data in (b"x", None):
            _write(registry._blobs, version.sha256, data)
            with pytest.raises((MissingBlobError, DamagedBlobError)) as told:
                registry.load("mnist/1")
            assert SECRET not in _told(told.value)
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
def test_an_address_that_is_none_is_told_without_what_may_be_secret(tmp_path, address):
    with pytest.raises(UnsupportedError) as told:
        Registry(f"sqlite:///{tmp_path}/registry.db", address)
    assert SECRET not in _told(told.value)
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
def test_nor_has_a_message_about_a_database(tmp_path, url):
    with pytest.raises((UnavailableError, UnsupportedError)) as told:
        Registry(url, str(tmp_path / "blobs"))
    assert SECRET not in _told(told.value)
