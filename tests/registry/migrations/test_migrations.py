"""Registries of earlier schemas open for ever."""

import json
import re
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from registry_contents import FAILED, PASSED, errors, files, tables
from registry_processes import at_once

from registry import DamagedHistoryError, NewerRegistryError, Registry, RunRecord, schema

GOLDEN = Path(__file__).parents[2] / "data" / "registries"


def _open(directory):
    return Registry(f"sqlite:///{directory}/registry.db", str(directory / "blobs"))


@pytest.fixture
def golden(tmp_path, request):
    """A copy of a registry that an earlier release wrote."""
    directory = tmp_path / "golden"
    shutil.copytree(GOLDEN / request.param, directory)
    before = files(GOLDEN / request.param)
    yield directory
    # The tests must open only the copy.
    assert files(GOLDEN / request.param) == before
    assert not [name for name in before if not re.fullmatch(r"registry\.db|blobs/.*", name)]


first = pytest.mark.parametrize("golden", ["1"], indirect=True)
second = pytest.mark.parametrize("golden", ["2"], indirect=True)
third = pytest.mark.parametrize("golden", ["3"], indirect=True)


@first
def test_a_registry_of_schema_1_is_unchanged(golden):
    with _open(golden) as registry:
        versions = registry.versions("mnist")
        assert [v.number for v in versions] == [4, 3, 2, 1]
        for number, version in enumerate(reversed(versions), 1):
            assert version.metrics == {
                "validation_accuracy": 0.97 + number / 1000,
                "test_accuracy": 0.96 + number / 1000,
            }
            assert version.params == {
                "preset": "quick",
                "sizes": [784, 30, 10],
                "learning_rate": 0.1,
                "seed": number,
                "distortion": None,
                "dropout": True,
            }
            assert version.tags == {"team": "ocr", "digits": "0.1.0", "note": "Ünïcode 'quoted'"}
            assert version.inputs == {"train_images": "ab" * 32}
            assert (version.run_id, version.state) == (f"run-{number}", "ready")
            assert (version.gate, version.gate_passed, version.parent) == ((), None, None)
            assert (version.environment, version.created_by) == ({}, None)
            # Version 4 has the weights of version 1.
            weights = f"weights {1 if number == 4 else number}".encode()
            assert registry.load(version.reference) == weights
        assert [v.aliases for v in versions] == [("challenger",), ("champion",), (), ()]
        assert registry.load("letters/1") == b"weights of letters"
        assert registry.get("mnist@champion").number == 3
        assert versions[-1].created_at == datetime(2026, 11, 24, 19, 42, 41, 485118, UTC)
        assert registry.alias("mnist", "champion").moved_at == datetime(
            2026, 11, 24, 19, 42, 41, 897903, UTC
        )
        assert errors(registry) == []


@first
def test_the_migrated_history_has_an_event_for_every_version_and_alias(golden):
    with _open(golden) as registry:
        history = registry.history("mnist")
        assert [(e.kind, e.number, e.alias) for e in reversed(history)] == [
            *(("migrated", number, None) for number in (1, 2, 3, 4)),
            ("alias_moved", 3, "champion"),
            ("alias_moved", 4, "challenger"),
        ]
        assert [e.kind for e in registry.history("letters")] == ["migrated"]
        for event in history:
            if event.alias is None:
                assert event.at == registry.get(f"mnist/{event.number}").created_at
            else:
                assert event.seq == registry.alias("mnist", event.alias).generation


@first
def test_a_migrated_registry_works_like_a_new_one(golden, tmp_path):
    with _open(golden) as registry:
        assert registry.register("mnist", b"weights 2", idempotency_key="run-2").number == 2
        assert (
            registry.register("mnist", b"five", RunRecord(gate=PASSED, parent="mnist/3")).number
            == 5
        )
        seen = registry.alias("mnist", "champion")
        assert registry.set_alias("mnist", "champion", 5, expected=seen).number == 5
        assert registry.rollback("mnist").number == 3
        for where, numbers in (
            ("params.seed > 1 and params.seed <= 3", [3, 2]),
            ("params.preset = 'quick' and params.dropout = true", [4, 3, 2, 1]),
            ("tags.note like '%''quoted'''", [4, 3, 2, 1]),
            ("params.distortion = null and metrics.test_accuracy < 0.962", [1]),
        ):
            assert [v.number for v in registry.versions("mnist", where=where)] == numbers
        assert errors(registry) == []
        registry.export("mnist", tmp_path / "file")
    with _open(tmp_path / "other") as other:
        assert len(other.import_(tmp_path / "file").added) == 5
        assert other.get("mnist@champion").number == 3
        assert errors(other) == []


@first
def test_a_migration_keeps_a_backup(golden, caplog):
    with closing(sqlite3.connect(golden / "registry.db")) as connection, connection:
        before = list(connection.iterdump())
    connection.close()
    _open(golden).close()
    backup = golden / "registry.db.schema-1"
    assert f"is kept in {backup}" in caplog.text
    with closing(sqlite3.connect(backup)) as connection, connection:
        assert connection.execute("SELECT schema_version FROM meta").fetchall() == [(1,)]
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert list(connection.iterdump()) == before
    connection.close()
    kept = backup.read_bytes()
    caplog.clear()
    _open(golden).close()
    assert (caplog.text, backup.read_bytes()) == ("", kept)
    # The backup itself can be opened, and is migrated again.
    for path in golden.glob("registry.db-*"):
        path.unlink()
    shutil.copy(backup, golden / "registry.db")
    with _open(golden) as registry:
        assert registry.get("mnist@champion").number == 3


def _schema(registry):
    """Return the schema of a database, independent of the order of columns."""
    inspector = sa.inspect(registry._database._engine)
    found = {}
    for table in inspector.get_table_names():
        found[table] = {
            "columns": {
                c["name"]: (str(c["type"]), c["nullable"], c["default"], c["primary_key"])
                for c in inspector.get_columns(table)
            },
            "primary key": inspector.get_pk_constraint(table)["constrained_columns"],
            "foreign keys": sorted(
                (f["constrained_columns"], f["referred_table"], f["referred_columns"])
                for f in inspector.get_foreign_keys(table)
            ),
            "unique": sorted(u["column_names"] for u in inspector.get_unique_constraints(table)),
            "checks": sorted(
                (c["name"] or "", c["sqltext"]) for c in inspector.get_check_constraints(table)
            ),
        }
    with registry._database.read() as connection:
        rows = connection.exec_driver_sql(
            "SELECT name, tbl_name, sql FROM sqlite_master WHERE type IN ('index', 'trigger')"
        )
        # Indexes as SQL, because some have expressions.
        rest = {name: (table, " ".join((sql or "").split())) for name, table, sql in rows}
    return found, rest


@pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression-based index")
@pytest.mark.parametrize("golden", ["1", "3"], indirect=True)
def test_migrated_tables_equal_new_tables(golden, tmp_path):
    with _open(golden) as migrated, _open(tmp_path / "new") as new:
        tables_of_migrated, rest_of_migrated = _schema(migrated)
        tables_of_new, rest_of_new = _schema(new)
        assert tables_of_migrated == tables_of_new
        assert rest_of_migrated == rest_of_new
        assert set(tables_of_new) == set(schema.metadata.tables)
        assert {n for n in rest_of_new if n.startswith("events_no")} == {
            *("events_no_UPDATE", "events_no_DELETE")
        }
        with migrated._database.read() as connection:
            assert connection.scalar(sa.select(schema.meta.c.schema_version)) == schema.VERSION


@first
def test_unusual_values_are_migrated(golden):
    """Names longer than allowed today, numbers too large for a float, escaped texts."""
    odd = {
        "x" * 2000: "1",
        "huge": str(10**400),
        "negative": "-0.5",
        "texts": '["\\u00e9", "\\ud83d\\ude00", "\\""]',
        "spaced": '{"b": 1,  "a": [ ]}',
        "half": '"\\ud83d"',
    }
    with closing(sqlite3.connect(golden / "registry.db")) as connection, connection:
        connection.executemany(
            "INSERT INTO version_params (version_id, name, value) VALUES (5, ?, ?)", odd.items()
        )
    connection.close()
    with _open(golden) as registry:
        assert registry.get("letters/1").params == {n: json.loads(v) for n, v in odd.items()}
        assert errors(registry) == []
        assert len(registry.versions(where="params.negative < 0 and params.huge != 5")) == 1


def _hashes(directory):
    with _open(directory) as registry:
        return [event.hash for event in registry.history("mnist")]


@first
def test_several_processes_migrate_the_same_registry(golden):
    """One of them migrates the tables, and the others wait."""
    hashes = at_once(_hashes, [(golden,)] * 4)
    assert len(hashes[0]) == 6
    assert hashes == [hashes[0]] * 4
    with _open(golden) as registry:
        assert errors(registry) == []
    with closing(sqlite3.connect(golden / "registry.db.schema-1")) as connection, connection:
        assert connection.execute("SELECT schema_version FROM meta").fetchall() == [(1,)]
    connection.close()


@first
def test_a_failed_migration_changes_nothing(golden):
    """The whole migration is one transaction."""
    with closing(sqlite3.connect(golden / "registry.db")) as connection, connection:
        connection.execute("UPDATE version_params SET value = 'no JSON' WHERE name = 'seed'")
        before = list(connection.iterdump())
    connection.close()
    with pytest.raises((ValueError, DamagedHistoryError)):
        _open(golden)
    with closing(sqlite3.connect(golden / "registry.db")) as connection, connection:
        assert list(connection.iterdump()) == before
        connection.execute("UPDATE version_params SET value = '1' WHERE name = 'seed'")
    connection.close()
    with _open(golden) as registry:
        assert errors(registry) == []


@second
def test_a_registry_of_schema_2_is_unchanged(golden):
    with _open(golden) as registry:
        versions = registry.versions("mnist")
        assert [(v.number, v.state, v.gate_passed, v.parent) for v in versions] == [
            (3, "ready", True, "mnist/1"),
            (2, "archived", False, "mnist/1"),
            (1, "ready", True, None),
        ]
        one = versions[-1]
        assert one.metrics == {"validation_accuracy": 0.98, "recall.7": 0.95}
        assert one.params == {
            "sizes": [784, 30, 10],
            "preset": "quick",
            "seed": None,
            "dropout": True,
        }
        assert one.tags == {"team": "ocr", "note": "Ünïcode 'quoted'"}
        assert (one.inputs, one.environment) == ({"train_images": "ab" * 32}, {"numpy": "2.1.0"})
        assert (one.gate, versions[1].gate) == (PASSED, FAILED)
        assert (one.code_version, one.run_id, one.created_by) == ("0.2.0", "run-1", "ann")
        assert [v.aliases for v in versions] == [("challenger",), (), ("champion",)]
        for version in versions:
            assert registry.load(version.reference) == f"weights {version.number}".encode()
        assert [(e.kind, e.number) for e in reversed(registry.history("mnist"))] == [
            *(("registered", 1), ("registered", 2), ("registered", 3)),
            *(("alias_moved", 1), ("alias_moved", 3), ("alias_rolled_back", 1)),
            *(("alias_moved", 3), ("alias_moved", 2), ("alias_removed", None), ("archived", 2)),
        ]
        assert errors(registry) == []
        # Hashes never change, because users may have noted them elsewhere.
        assert registry.history("mnist")[0].hash == HEAD
        assert registry.register("mnist", b"weights 2", idempotency_key="run-2").number == 2
        assert registry.register("mnist", b"four").number == 4


HEAD = "6452ae373c09c859b51813ad6d8d2a0f8db2e1a4555be847331a50914cc73619"


@third
def test_a_registry_of_schema_3_is_unchanged(golden):
    with _open(golden) as registry:
        one = registry.get("mnist@champion")
        assert (one.number, one.description, one.aliases) == (1, "The first one.", ("champion",))
        assert one.tags == {"team": "ocr", "note": "Ünïcode 'quoted'", "seen": "yes"}
        assert registry.models()[1].description == "Handwritten digits."
        (proposal,) = registry.proposals("mnist")
        assert (proposal.version, proposal.reason) == ("mnist/3", "better")
        assert len(registry.history("mnist")) == 15
        assert registry.history("mnist")[0].hash == HEAD_OF_3
        assert registry.load("mnist/3") == b"weights 3"
        # What happened before the migration is not told now.
        assert registry.messages.read() == registry.batches() == registry.job_runs.read() == []
        assert registry.unprotect("mnist", "champion") is None
        registry.set_alias("mnist", "champion", 3)
        assert [each.kind for each in registry.messages.waiting()] == ["model.promoted"]
        assert errors(registry) == []


HEAD_OF_3 = "8c7b0b0026f223615d79e3335b590e25b27635616394866afbe393047cef7de8"


@second
def test_opening_the_newest_schema_changes_nothing(golden):
    _open(golden).close()
    with closing(sqlite3.connect(golden / "registry.db")) as connection, connection:
        before = list(connection.iterdump())
    connection.close()
    with _open(golden) as registry:
        assert tables(registry)["meta"][0][:2] == (1, schema.VERSION)
    with closing(sqlite3.connect(golden / "registry.db")) as connection, connection:
        assert list(connection.iterdump())[: len(before)] == before
    connection.close()


@pytest.mark.parametrize("golden", ["1", "2", "3"], indirect=True)
def test_a_newer_schema_is_refused(golden):
    with closing(sqlite3.connect(golden / "registry.db")) as connection, connection:
        connection.execute("UPDATE meta SET schema_version = 3 + ?", (schema.VERSION,))
    connection.close()
    before = (golden / "registry.db").read_bytes()
    with pytest.raises(NewerRegistryError, match="Nothing was changed"):
        _open(golden)
    assert (golden / "registry.db").read_bytes() == before
    assert not list(golden.glob("registry.db.schema-*"))


# What the releases of schema 1 and 2 do to register a version, to move an alias, and to record an
# event. A process that was opened before the migration still runs these statements.
OLD_WRITES = {
    "1": (
        "UPDATE models SET next_version = next_version + 1 WHERE name = 'mnist' "
        "RETURNING id, next_version - 1",
        "INSERT INTO models (name, next_version, created_at) VALUES ('new', 1, 1)",
        "UPDATE aliases SET number = 1, generation = generation + 1, updated_at = 1 "
        "WHERE model_id = 1 AND alias = 'champion'",
        "INSERT INTO aliases (model_id, alias, number, generation, updated_at) "
        "VALUES (1, 'new', 1, 1, 1)",
    ),
    "2": (
        "UPDATE models SET next_version = next_version + 1 WHERE id = 1 RETURNING next_version - 1",
        "INSERT INTO models (name, next_version, created_at) VALUES ('new', 1, 1)",
        "UPDATE models SET next_event = next_event + 1 WHERE id = 1 "
        "RETURNING name, next_event - 1, event_head, event_at",
        "UPDATE models SET event_head = 'x', event_at = 1 WHERE id = 1",
        "UPDATE aliases SET number = 1, generation = 9, updated_at = 1 "
        "WHERE model_id = 1 AND alias = 'champion'",
    ),
}


@pytest.mark.parametrize("golden", ["1", "2"], indirect=True)
def test_a_process_of_an_older_release_can_no_longer_write(golden, request):
    writes = OLD_WRITES[request.node.callspec.params["golden"]]
    old = sqlite3.connect(golden / "registry.db", isolation_level=None)
    # Each statement is one that the release can run before the migration.
    old.execute("BEGIN IMMEDIATE")
    for statement in writes:
        old.execute(statement).fetchall()
    old.execute("ROLLBACK")
    with _open(golden) as registry:
        for statement in writes:
            with pytest.raises(sqlite3.OperationalError, match=r"no (such )?column"):
                old.execute(statement)
        assert errors(registry) == []
    old.close()
