"""Where a registry is: relative paths, moved homes, missing registries, read-only users."""

import os
import shutil
import sqlite3
import subprocess
import tempfile
from contextlib import closing
from pathlib import Path

import pytest
from registry_contents import errors

from registry import (
    NewerRegistryError,
    NoRegistryError,
    NotFoundError,
    Registry,
    UnavailableError,
    schema,
)

NOBODY = 65534


def _open(directory, **options):
    return Registry(f"sqlite:///{directory}/registry.db", str(directory / "blobs"), **options)


def test_relative_paths_are_resolved_once(tmp_path, monkeypatch):
    """Versions whose weights were in another directory were acknowledged."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "one")
    with Registry("sqlite:///registry.db", "blobs") as registry:
        registry.register("mnist", b"1")
        monkeypatch.chdir(tmp_path / "two")
        registry.register("mnist", b"2")
        assert registry.load("mnist/1") == b"1"
        assert str(tmp_path / "one") in repr(registry)
    assert list((tmp_path / "two").iterdir()) == []
    with _open(tmp_path / "one") as registry:
        assert [registry.load(f"mnist/{n}") for n in (1, 2)] == [b"1", b"2"]


@pytest.mark.parametrize("name", ["what?", "50%", "a%3Fb", "a#b", "a b"])
def test_a_directory_may_have_any_name(tmp_path, name):
    """A question mark would end the path of an address, so it is written %3F."""
    written = str(tmp_path / name).replace("%3F", "%253F").replace("?", "%3F")
    with Registry(f"sqlite:///{written}/registry.db", str(tmp_path / "blobs")) as registry:
        registry.register("mnist", b"1")
    assert (tmp_path / name / "registry.db").is_file()
    assert {p.name for p in tmp_path.iterdir()} == {name, "blobs"}


@pytest.mark.parametrize("change", ["moved", "replaced", "removed"])
def test_a_database_that_is_not_the_one_that_was_opened_is_noticed(tmp_path, change):
    """What is registered in a file that was moved away is lost, and numbers are given twice."""
    home = tmp_path / "home"
    with _open(home) as registry:
        registry.register("mnist", b"1")
        if change == "moved":
            home.rename(tmp_path / "away")
            _open(home).close()
        elif change == "replaced":
            shutil.copy(home / "registry.db", home / "copy.db")
            (home / "copy.db").replace(home / "registry.db")
        else:
            (home / "registry.db").unlink()
        for act in (
            lambda: registry.register("mnist", b"2"),
            lambda: registry.versions(),
            lambda: registry.set_alias("mnist", "live", 1),
        ):
            with pytest.raises(UnavailableError, match="moved, removed or replaced"):
                act()
    if change != "removed":
        place = tmp_path / "away" if change == "moved" else home
        with _open(place) as registry:
            assert [v.number for v in registry.versions()] == [1]


def test_a_database_that_is_replaced_during_a_transaction_is_not_written(sqlite, tmp_path):
    sqlite.register("mnist", b"1")
    shutil.copy(tmp_path / "registry.db", tmp_path / "copy.db")

    def write_while_it_is_replaced():
        with sqlite._database.write() as connection:
            connection.execute(schema.models.update().values(description="lost"))
            (tmp_path / "copy.db").replace(tmp_path / "registry.db")

    with pytest.raises(UnavailableError, match="replaced"):
        write_while_it_is_replaced()


def test_a_registry_that_is_not_to_be_created_is_not(url, tmp_path):
    where = tmp_path / "blobs"
    if url.startswith("sqlite"):
        url = f"sqlite:///{tmp_path}/deep/er/registry.db"
    for _ in range(2):
        with pytest.raises(NoRegistryError, match="There is no registry at") as error:
            Registry(url, str(where), create=False)
        assert isinstance(error.value, NotFoundError)
    assert list(tmp_path.iterdir()) == []
    Registry(url, str(where)).close()
    Registry(url, str(where), create=False).close()


def test_a_writer_checks_the_schema_in_its_transaction(registry):
    """A process that was opened before a migration must not write what nobody can read."""
    registry.register("mnist", b"1")
    with registry._database.write() as connection:
        connection.execute(schema.meta.update().values(schema_version=schema.VERSION + 1))
    for act in (
        lambda: registry.register("mnist", b"2"),
        lambda: registry.set_alias("mnist", "live", 1),
        lambda: registry.archive("mnist/1"),
    ):
        with pytest.raises(NewerRegistryError, match=f"schema {schema.VERSION + 1}"):
            act()


@pytest.fixture
def as_reader():
    """Act as a user who owns nothing; root could write everything."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    yield
    os.seteuid(0)


@pytest.fixture
def shared(tmp_path):
    """A registry with a version, in a directory that everybody can read."""
    # All that pytest has made below the directory of temporary files, which is everybody's.
    for parent in (tmp_path, *tmp_path.parents):
        if parent == Path(tempfile.gettempdir()):
            break
        parent.chmod(0o755)
    directory = tmp_path / "shared"
    with _open(directory, actor="ann") as registry:
        registry.register("mnist", b"1")
        registry.set_alias("mnist", "live", 1)
    (directory / "registry.db.lock").unlink()
    return directory


def _ask_everything(directory):
    with _open(directory, create=False) as registry:
        assert [v.number for v in registry.versions(where="alias = 'live'")] == [1]
        assert registry.get("mnist@live").number == registry.latest("mnist").number == 1
        assert registry.load("mnist/1") == b"1"
        assert len(registry.history("mnist")) == 2
        assert errors(registry) == []
        assert registry.gc(dry_run=True).blobs == 0
        with pytest.raises(UnavailableError, match="can only be read"):
            registry.set_alias("mnist", "live", 1)


def _read_only(directory):
    for path in (*directory.rglob("*"), directory):
        path.chmod(0o555 if path.is_dir() else 0o444)


def test_who_may_only_read_can_ask_everything(shared, request):
    before = sorted(p.name for p in shared.rglob("*"))
    _read_only(shared)
    request.getfixturevalue("as_reader")
    _ask_everything(shared)
    assert sorted(p.name for p in shared.rglob("*")) == before


def test_a_reader_leaves_no_files_in_a_directory_that_others_write(shared, request):
    """They would belong to the reader, and keep the owner out."""
    before = sorted(p.name for p in shared.rglob("*"))
    (shared / "registry.db").chmod(0o444)
    shared.chmod(0o777)
    request.getfixturevalue("as_reader")
    _ask_everything(shared)
    assert sorted(p.name for p in shared.rglob("*")) == before


def test_a_reader_sees_what_others_write_meanwhile(shared, tmp_path, request):
    with _open(shared) as writer:
        writer.register("mnist", b"2")
        for path in shared.glob("registry.db*"):
            path.chmod(0o644)
        request.getfixturevalue("as_reader")
        with _open(shared, create=False) as reader:
            assert reader.latest("mnist").number == 2


def test_changes_that_only_a_writer_can_read_are_named(shared, request):
    """Without its index, the log of a killed writer cannot be read."""
    with closing(sqlite3.connect(shared / "registry.db")) as connection, connection:
        connection.execute("UPDATE models SET description = 'new'")
        connection.commit()
        shutil.copy(shared / "registry.db-wal", shared / "copy")
    connection.close()
    (shared / "copy").rename(shared / "registry.db-wal")
    _read_only(shared)
    request.getfixturevalue("as_reader")
    with pytest.raises(UnavailableError, match=r"registry\.db-wal"):
        _open(shared, create=False)


def test_a_read_only_file_system_will_do(shared, tmp_path):
    where = tmp_path / "mounted"
    where.mkdir()
    mounted = subprocess.run(["mount", "--bind", "-o", "ro", shared, where], capture_output=True)
    if mounted.returncode:
        pytest.skip("file systems cannot be mounted here")
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", where], check=True)
        _ask_everything(where)
    finally:
        subprocess.run(["umount", where], check=True)
