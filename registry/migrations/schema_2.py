"""Schema 2: history, lineage, gates, and search by value.

Registries of schema 1 were only on SQLite, and had no history. The migration writes one event for
each version and each alias, with the time that was stored for it.
"""

import hashlib
import json
from collections import defaultdict
from typing import Any

import sqlalchemy as sa
from alembic.operations import Operations
from sqlalchemy.engine import Connection

_NO_HASH = "0" * 64

_COLUMNS = (
    "models ADD COLUMN next_event INTEGER DEFAULT '1' NOT NULL",
    f"models ADD COLUMN event_head VARCHAR(64) DEFAULT '{_NO_HASH}' NOT NULL",
    "models ADD COLUMN event_at BIGINT DEFAULT '0' NOT NULL",
    "versions ADD COLUMN event_seq INTEGER",
    "versions ADD COLUMN parent VARCHAR(2000)",
    "versions ADD COLUMN code_version VARCHAR(2000)",
    "versions ADD COLUMN created_by VARCHAR(2000)",
    "versions ADD COLUMN gate VARCHAR(8)",
    "version_params ADD COLUMN number FLOAT",
)

_FIRST = sa.func.substr(sa.column("value"), 1, 250)


def upgrade(op: Operations) -> None:
    """Migrate the tables, and write the history that schema 1 did not have."""
    for change in _COLUMNS:
        op.execute(f"ALTER TABLE {change}")
    op.create_index("versions_by_time", "versions", ["model_id", "created_at", "number"])
    op.create_index("aliases_by_number", "aliases", ["model_id", "number"])
    for table in ("version_params", "version_tags"):
        op.drop_index(f"{table}_by_value", table)
        op.create_index(f"{table}_by_value", table, ["name", _FIRST, "version_id"])
    _create_environment(op)
    _create_events(op)
    connection = op.get_bind()
    _rewrite_params(connection)
    for model_id, name in connection.execute(sa.text("SELECT id, name FROM models")).all():
        _write_history(connection, model_id, name)


def _create_environment(op: Operations) -> None:
    op.create_table(
        "version_environment",
        sa.Column("version_id", sa.Integer, sa.ForeignKey("versions.id"), primary_key=True),
        sa.Column("name", sa.String(2000), primary_key=True),
        sa.Column("value", sa.String(2000), nullable=False),
        sa.CheckConstraint("length(name) <= 2000", name="name_length"),
        sa.CheckConstraint("length(value) <= 2000", name="value_length"),
    )
    op.create_index(
        "version_environment_by_value", "version_environment", ["name", _FIRST, "version_id"]
    )


def _create_events(op: Operations) -> None:
    op.create_table(
        "events",
        sa.Column("model_id", sa.Integer, sa.ForeignKey("models.id"), primary_key=True),
        sa.Column("seq", sa.Integer, primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("actor", sa.String(2000), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("alias", sa.String(63)),
        sa.Column("number", sa.Integer),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("prev_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )
    op.create_index("events_by_alias", "events", ["model_id", "alias", "seq"])
    for action in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER events_no_{action} BEFORE {action} ON events "
            "BEGIN SELECT RAISE(ABORT, 'events are append-only'); END"
        )


def _rewrite_params(connection: Connection) -> None:
    """Rewrite parameters as canonical JSON, and copy numbers to their own column."""
    params = [
        (version_id, name, json.loads(value))
        for version_id, name, value in connection.execute(
            sa.text("SELECT version_id, name, value FROM version_params")
        )
    ]
    rows = [
        {
            "id": version_id,
            "name": name,
            "value": _canonical(value),
            "number": _number(value),
        }
        for version_id, name, value in params
    ]
    if rows:
        connection.execute(
            sa.text(
                "UPDATE version_params SET value = :value, number = :number "
                "WHERE version_id = :id AND name = :name"
            ),
            rows,
        )


def _number(value: Any) -> float | None:
    try:
        return float(value) if type(value) in {int, float} else None
    except OverflowError:
        return None


def _write_history(connection: Connection, model_id: int, name: str) -> None:
    """Write an event for each version and alias of a model, in the order of their times."""
    happened: list[tuple[int, int, int | None, str | None, dict[str, Any]]] = [
        (created_at, number, version_id, None, {"version": document})
        for version_id, number, created_at, document in _documents(connection, model_id)
    ]
    happened += [
        # Sorted after the registration of its version, even if their times are equal.
        (updated_at, number, None, alias, {"from": None, "forced": False})
        for alias, number, updated_at in connection.execute(
            sa.text("SELECT alias, number, updated_at FROM aliases WHERE model_id = :id"),
            {"id": model_id},
        )
    ]
    happened.sort(key=lambda one: (one[0], one[3] is not None, one[1]))
    head, last = _NO_HASH, 0
    for seq, (at, number, version_id, alias, body) in enumerate(happened, 1):
        last = max(last, at)
        kind = "migrated" if alias is None else "alias_moved"
        text = _canonical(body)
        contents = [name, seq, last, "", kind, alias, number, text, head]
        new = hashlib.sha256(_canonical(contents).encode()).hexdigest()
        row = {"kind": kind, "alias": alias, "number": number, "body": text, "prev": head}
        _insert_event(connection, {"model": model_id, "seq": seq, "at": last, **row, "hash": new})
        head = new
        if alias is None:
            connection.execute(
                sa.text("UPDATE versions SET event_seq = :seq WHERE id = :id"),
                {"seq": seq, "id": version_id},
            )
        else:
            connection.execute(
                sa.text(
                    "UPDATE aliases SET generation = :seq, updated_at = :at "
                    "WHERE model_id = :model AND alias = :alias"
                ),
                {"seq": seq, "at": last, "model": model_id, "alias": alias},
            )
    connection.execute(
        sa.text(
            "UPDATE models SET next_event = :next, event_head = :head, event_at = :at "
            "WHERE id = :id"
        ),
        {"next": len(happened) + 1, "head": head, "at": last, "id": model_id},
    )


def _insert_event(connection: Connection, row: dict[str, Any]) -> None:
    connection.execute(
        sa.text(
            "INSERT INTO events VALUES "
            "(:model, :seq, :at, '', :kind, :alias, :number, :body, :prev, :hash)"
        ),
        row,
    )


def _documents(connection: Connection, model_id: int) -> list[tuple[int, int, int, dict[str, Any]]]:
    """Return id, number, time and document of each version of a model."""
    details = {
        part: _details(connection, f"SELECT version_id, {columns} FROM version_{part}")
        for part, columns in (
            ("metrics", "name, value"),
            ("params", "name, value"),
            ("tags", "name, value"),
            ("inputs", "role, sha256"),
        )
    }
    rows = connection.execute(
        sa.text(
            "SELECT v.id, v.number, v.created_at, v.blob_sha256, b.size, v.run_id, "
            "v.idempotency_key FROM versions v JOIN blobs b ON b.sha256 = v.blob_sha256 "
            "WHERE v.model_id = :id"
        ),
        {"id": model_id},
    )
    return [
        (
            version_id,
            number,
            created_at,
            {
                "sha256": sha256,
                "size": size,
                "created_at": created_at,
                "created_by": None,
                "metrics": details["metrics"][version_id],
                "params": {k: json.loads(v) for k, v in details["params"][version_id].items()},
                "tags": details["tags"][version_id],
                "inputs": details["inputs"][version_id],
                "environment": {},
                "gate": [],
                "parent": None,
                "code_version": None,
                "run_id": run_id,
                "idempotency_key": key,
            },
        )
        for version_id, number, created_at, sha256, size, run_id, key in rows
    ]


def _details(connection: Connection, query: str) -> dict[int, dict[str, Any]]:
    details: dict[int, dict[str, Any]] = defaultdict(dict)
    for version_id, name, value in connection.execute(sa.text(query)):
        details[version_id][name] = value
    return details


def _canonical(value: Any) -> str:
    return json.dumps(value, allow_nan=False, sort_keys=True, separators=(",", ":"))
