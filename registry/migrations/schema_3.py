"""Schema 3: an id of the registry, descriptions, signatures, protected aliases.

The renamed columns stop processes of earlier releases that still have the registry open: they
would write records that this release cannot read. Every registration and every move of an alias of
theirs now fails at a column that is missing.
"""

import json
import uuid

import sqlalchemy as sa
from alembic.operations import Operations
from sqlalchemy.engine import Connection

from registry.protection import create_protection

_CHANGES = (
    "models RENAME COLUMN next_version TO next_number",
    "models RENAME COLUMN event_head TO head_hash",
    "aliases RENAME COLUMN updated_at TO moved_at",
    "meta ADD COLUMN registry_id VARCHAR(36)",
    "models ADD COLUMN description TEXT",
    "versions ADD COLUMN description TEXT",
    "versions ADD COLUMN tags TEXT",
    "events ADD COLUMN signature VARCHAR(128)",
    "events ADD COLUMN key_id VARCHAR(64)",
)


def upgrade(op: Operations) -> None:
    """Rename and add columns, and add the tables of protected aliases."""
    for change in _CHANGES:
        op.execute(f"ALTER TABLE {change}")
    op.execute(sa.text("UPDATE meta SET registry_id = :id").bindparams(id=str(uuid.uuid4())))
    _rewrite_params(op.get_bind())
    op.create_table(
        "protected_aliases",
        sa.Column("model_id", sa.Integer, sa.ForeignKey("models.id"), primary_key=True),
        sa.Column("alias", sa.String(63), primary_key=True),
        sa.Column("approvals", sa.Integer, nullable=False),
        sa.CheckConstraint("length(alias) <= 63", name="alias_length"),
    )
    op.create_table(
        "approvals",
        sa.Column("model_id", sa.Integer, primary_key=True),
        sa.Column("alias", sa.String(63), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True),
        sa.Column("actor", sa.String(250), primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("reason", sa.String(2000)),
        sa.ForeignKeyConstraint(["model_id", "number"], ["versions.model_id", "versions.number"]),
        sa.CheckConstraint("length(alias) <= 63", name="alias_length"),
        sa.CheckConstraint("length(actor) <= 250", name="actor_length"),
        sa.CheckConstraint("length(reason) <= 2000", name="reason_length"),
    )
    create_protection(op.get_bind())


def _rewrite_params(connection: Connection) -> None:
    """Rewrite parameters without escapes, which counted as six characters each."""
    # On PostgreSQL the backslash is an escape, so this finds more than it has to.
    query = "SELECT version_id, name, value FROM version_params WHERE value LIKE '%\\u%'"
    rows = [
        {"id": version_id, "name": name, "value": _unescaped(value)}
        for version_id, name, value in connection.execute(sa.text(query))
    ]
    if rows:
        connection.execute(
            sa.text(
                "UPDATE version_params SET value = :value WHERE version_id = :id AND name = :name"
            ),
            rows,
        )


def _unescaped(value: str) -> str:
    content = json.loads(value)
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a pair of surrogates
        return value
    return text
