"""Removing blobs that no version refers to, and files that killed writers left."""

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from registry import schema
from registry.blobs import Blobs
from registry.databases import Database
from registry.records import GCResult


def collect_garbage(database: Database, blobs: Blobs, before: float, *, dry_run: bool) -> GCResult:
    """Remove unreferenced files that were last changed before a time, in seconds since 1970.

    Each blob is checked again and removed in a transaction that excludes writers, and a writer
    checks that its blob is there in the transaction that adds the version. So a blob is either
    referenced before it is checked, and stays, or the writer stores it again.
    """
    removed_blobs = size = 0
    for stored in list(blobs.stored()):
        if stored.changed_at < before and _remove(database, blobs, stored.sha256, dry_run=dry_run):
            removed_blobs += 1
            size += stored.size
    temporary_files = 0
    for name, length in list(blobs.temporary_files(before)):
        if not dry_run:
            blobs.delete_temporary_file(name)
        temporary_files += 1
        size += length
    return GCResult(removed_blobs, temporary_files, size)


def remove_blobs(database: Database, blobs: Blobs, digests: Iterable[str]) -> tuple[int, int]:
    """Remove those of some blobs that no version refers to; return their number and size."""
    removed = size = 0
    for sha256 in digests:
        stored_size = blobs.size_of(sha256)
        if stored_size is not None and _remove(database, blobs, sha256):
            removed += 1
            size += stored_size
    return removed, size


def _remove(database: Database, blobs: Blobs, sha256: str, *, dry_run: bool = False) -> bool:
    with database.read() as connection:
        if _is_referenced(connection, sha256):
            return False
    if dry_run:
        return True
    with database.write_exclusively() as connection:
        if _is_referenced(connection, sha256):
            return False
        blobs.delete(sha256)
        connection.execute(sa.delete(schema.blobs).where(schema.blobs.c.sha256 == sha256))
        return True


def _is_referenced(connection: Connection, sha256: str) -> bool:
    columns = schema.versions.c
    query = sa.select(columns.id).where(columns.blob_sha256 == sha256).limit(1)
    return connection.scalar(query) is not None
