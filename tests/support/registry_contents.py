"""Access to the tables and files of a registry, for its tests."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from registry import BatchRecord, Check, DriftFigure, Finding, Registry, schema

# In `make test`, PostgreSQL has tests of its own for what it could do differently: each method
# (databases/test_both.py), sequences of them (test_state_machine.py), filters, rights, processes.
DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)]

PASSED = (Check("validation_accuracy", 0.98, 0.97, passed=True),)
FAILED = (*PASSED, Check("recall of 7", 0.4, 0.9, passed=False))

DRIFTED_BATCH = BatchRecord(
    version="mnist/1",
    sha256="ab" * 32,
    inputs=("scans",),
    output="/scores",
    files=10,
    digits=(1,) * 10,
    drift=(DriftFigure("ink", 0.5, 0.25),),
)
"""A scored batch that people should look at."""


def errors(registry: Registry, reference: str | None = None) -> list[Finding]:
    """Return the errors that `verify` finds."""
    return [f for f in registry.verify(reference) if f.severity == "error"]


def tables(registry: Registry) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows of all tables."""
    with registry._database.read() as connection:
        return {
            table.name: sorted(map(tuple, connection.execute(sa.select(table))), key=repr)
            for table in schema.metadata.sorted_tables
        }


def files(directory: Path) -> dict[str, bytes]:
    """Return the content of all files in a directory, by relative path."""
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def execute(registry: Registry, *statements: str, **values: Any) -> None:
    """Edit the database directly, with triggers and foreign keys disabled."""
    with registry._database._engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(sa.text("SET session_replication_role = replica"))
            for statement in statements:
                connection.execute(sa.text(statement), values)
            connection.execute(sa.text("SET session_replication_role = DEFAULT"))
        else:
            triggers = connection.execute(
                sa.text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'")
            ).all()
            connection.commit()
            connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
            connection.commit()
            connection.connection.driver_connection.execute("PRAGMA foreign_keys = OFF")
            for name, _ in triggers:
                connection.execute(sa.text(f"DROP TRIGGER {name}"))
            for statement in statements:
                connection.execute(sa.text(statement), values)
            for _, sql in triggers:
                connection.execute(sa.text(sql))
        connection.commit()
        if connection.dialect.name == "sqlite":
            connection.connection.driver_connection.execute("PRAGMA foreign_keys = ON")
