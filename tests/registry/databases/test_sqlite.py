"""SQLite files, and addresses of registries."""

import sqlite3
from contextlib import closing

import pytest
import sqlalchemy as sa

from registry import (
    InvalidArgumentError,
    NewerRegistryError,
    Registry,
    RunRecord,
    UnavailableError,
    UnsupportedError,
)

WEIGHTS = b"some weights"


def test_a_registry_is_persistent(tmp_path):
    address = f"sqlite:///{tmp_path}/deep/er/registry.db", str(tmp_path / "blobs")
    with Registry(*address) as registry:
        version = registry.register("mnist", WEIGHTS)
        registry.set_alias("mnist", "live", 1)
    with Registry(*address) as registry:
        assert registry.load("mnist@live") == WEIGHTS
        assert registry.get("mnist/1").created_at == version.created_at


def test_blobs_may_be_a_file_url(tmp_path):
    blobs = (tmp_path / "a b").as_uri()
    with Registry(f"sqlite:///{tmp_path}/registry.db", blobs) as registry:
        registry.register("mnist", WEIGHTS)
        assert registry.load("mnist/1") == WEIGHTS
    assert (tmp_path / "a b" / "sha256").is_dir()


def test_the_settings_of_sqlite_lose_no_commit(sqlite):
    with sqlite._database.read() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "trusted_schema")
        }
    assert pragmas == {
        "journal_mode": "wal",
        "synchronous": 2,  # FULL
        "foreign_keys": 1,
        "trusted_schema": 0,
    }


def test_a_registry_of_a_newer_release_is_refused_unchanged(tmp_path):
    address = f"sqlite:///{tmp_path}/registry.db", str(tmp_path / "blobs")
    Registry(*address).close()
    with closing(sqlite3.connect(tmp_path / "registry.db")) as connection, connection:
        connection.execute("UPDATE meta SET schema_version = 999")
    connection.close()
    with pytest.raises(NewerRegistryError, match="schema 999") as caught:
        Registry(*address)
    assert caught.value.found == 999


def test_a_file_that_is_not_a_database_is_refused_unchanged(tmp_path):
    (tmp_path / "registry.db").write_bytes(b"not a database" * 100)
    with pytest.raises(UnavailableError, match="file is not a database"):
        Registry(f"sqlite:///{tmp_path}/registry.db", str(tmp_path / "blobs"))
    assert (tmp_path / "registry.db").read_bytes() == b"not a database" * 100


def test_an_unwritable_directory_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UnavailableError, match="cannot be created"):
        Registry(f"sqlite:///{tmp_path}/file/registry.db", str(tmp_path / "blobs"))
    with (
        Registry(f"sqlite:///{tmp_path}/registry.db", str(tmp_path / "file")) as registry,
        pytest.raises(UnavailableError, match="cannot be read or written"),
    ):
        registry.register("mnist", WEIGHTS)


@pytest.mark.parametrize(
    ("url", "blobs"),
    [
        ("mysql://u:secret@host/db", "blobs"),
        ("postgresql+asyncpg://u:secret@host/db", "blobs"),
        ("sqlite://", "blobs"),
        ("sqlite:///:memory:", "blobs"),
        ("sqlite:///registry.db?mode=ro", "blobs"),
        ("registry.db", "blobs"),
        ("sqlite:///registry.db", "ftp://u:secret@host/blobs"),
    ],
)
def test_an_unsupported_address_is_refused(tmp_path, monkeypatch, url, blobs):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnsupportedError, match="expected") as caught:
        Registry(url, blobs)
    assert "secret" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_found_by_its_index_once_there_are_many_versions(sqlite):
    """Without statistics, SQLite would read the whole model."""
    for number in range(1, 129):
        sqlite.register("mnist", b"", RunRecord(run_id=f"run {number}"))
    asked = []
    sa.event.listen(
        sqlite._database._engine,
        "before_cursor_execute",
        lambda _connection, _cursor, statement, values, *_: asked.append((statement, values)),
    )
    [version] = sqlite.versions("mnist", where="run_id = 'run 7'", limit=5)
    assert version.number == 7
    statement, values = asked[-1]
    with sqlite._database.read() as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", values).all()
    assert any("versions_by_run" in row.detail for row in plan)


@pytest.mark.parametrize("table", ["events (id INTEGER)", "meta (name TEXT)"])
def test_a_database_of_another_program_is_refused_unchanged(tmp_path, table):
    """Prefect keeps its runs in a SQLite file with a table of events."""
    with closing(sqlite3.connect(tmp_path / "prefect.db")) as connection, connection:
        connection.execute(f"CREATE TABLE {table}")
    connection.close()
    with pytest.raises(UnsupportedError, match="another program"):
        Registry(f"sqlite:///{tmp_path}/prefect.db", str(tmp_path / "blobs"))
    with closing(sqlite3.connect(tmp_path / "prefect.db")) as connection, connection:
        query = "SELECT count(*) FROM sqlite_master WHERE type = 'table'"
        assert connection.execute(query).fetchall() == [(1,)]
    connection.close()


def test_a_backup_of_a_registry_in_use_is_whole(sqlite, tmp_path):
    """A copy of the file would leave out what is in its log."""
    for number in range(3):
        sqlite.register("mnist", b"%d" % number)
    (tmp_path / "link").symlink_to(tmp_path / "copy.db")
    for file in (tmp_path / "copy.db", tmp_path / "link"):
        sqlite.backup(file)
        with Registry(f"sqlite:///{tmp_path}/copy.db", str(tmp_path / "blobs")) as copy:
            assert copy.versions() == sqlite.versions()
            assert [f for f in copy.verify() if f.severity == "error"] == []
        sqlite.register("mnist", b"more")
    assert (tmp_path / "link").is_symlink()
    with pytest.raises(InvalidArgumentError, match="another file than the database"):
        sqlite.backup(tmp_path / "registry.db")
    assert sqlite.latest("mnist").number == 5
