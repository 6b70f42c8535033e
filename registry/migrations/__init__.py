"""Migrations from the tables of earlier releases: one module for each schema.

All steps run in one transaction, which also updates the schema version. Registries of every
earlier release must open for ever, so steps are only added and never changed.
"""

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Connection

from registry.migrations import schema_2, schema_3, schema_4

# The step to each schema from the one before.
_STEPS = {2: schema_2.upgrade, 3: schema_3.upgrade, 4: schema_4.upgrade}


def upgrade(connection: Connection, current: int) -> None:
    """Migrate the tables of a registry from its current schema to the newest one."""
    op = Operations(MigrationContext.configure(connection))
    for version, step in _STEPS.items():
        if version > current:
            step(op)
            op.execute(f"UPDATE meta SET schema_version = {version}")
