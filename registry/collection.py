"""Collecting garbage: weights that no version refers to, and what killed writers left."""

import sqlalchemy as sa

from registry import schema
from registry.blobs import Blobs, Stored
from registry.databases import Database
from registry.records import Collected


def collect(database: Database, blobs: Blobs, before: float, *, dry_run: bool) -> Collected:
    """Remove what has not changed since a time and is not referred to.

    Each blob is looked at once more, and removed, in a transaction beside which nobody writes;
    and a writer makes sure of its weights in the transaction that adds their version. So
    weights are either registered before they are looked at, and stay, or stored once more.
    """
    collected = size = 0
    for stored in list(blobs.stored()):
        if stored.changed_at < before and _collect(database, blobs, stored, dry_run=dry_run):
            collected += 1
            size += stored.size
    temporary_files = 0
    for name, length in list(blobs.temporary_files(before)):
        if not dry_run:
            blobs.delete_temporary_file(name)
        temporary_files += 1
        size += length
    return Collected(collected, temporary_files, size)


def _collect(database: Database, blobs: Blobs, stored: Stored, *, dry_run: bool) -> bool:
    with database.read() as connection:
        if _is_used(connection, stored.sha256):
            return False
    if dry_run:
        return True
    with database.write_alone() as connection:
        if _is_used(connection, stored.sha256):
            return False
        blobs.delete(stored.sha256)
        connection.execute(sa.delete(schema.blobs).where(schema.blobs.c.sha256 == stored.sha256))
        return True


def _is_used(connection: sa.Connection, sha256: str) -> bool:
    """Tell whether a version has these weights."""
    columns = schema.versions.c
    query = sa.select(columns.id).where(columns.blob_sha256 == sha256).limit(1)
    return connection.scalar(query) is not None
