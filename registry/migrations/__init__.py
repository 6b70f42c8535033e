"""From the tables of an earlier release to today's: one module for each schema.

They run in one transaction with what tells the schema. A registry that an earlier release made
opens for ever, so what stands here is never changed, only added to.
"""

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy.engine import Connection

from registry.migrations import schema_2

# What leads to each schema from the one before.
_STEPS = {2: schema_2.upgrade}


def upgrade(connection: Connection, found: int) -> None:
    """Bring the tables of a registry from the schema found to the last."""
    op = Operations(MigrationContext.configure(connection))
    for version, step in _STEPS.items():
        if version > found:
            step(op)
            op.execute(f"UPDATE meta SET schema_version = {version}")
