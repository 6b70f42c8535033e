"""Removing blobs that no version refers to, and files that killed writers left."""

from collections.abc import Iterable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from registry import schema
from registry.blobs import Blobs
from registry.databases import Database
from registry.errors import SharedStoreError
from registry.records import GCResult


def collect_garbage(
    database: Database, blobs: Blobs, before: float, *, unknown: bool, dry_run: bool
) -> GCResult:
    """Remove unreferenced files that were last changed before a time, in seconds since 1970.

    Each blob is checked again and removed in a transaction that excludes writers, and a writer
    checks that its blob is there in the transaction that adds the version. So a blob is either
    referenced before it is checked, and stays, or the writer stores it again.

    Parameters
    ----------
    unknown : bool
        Also remove blobs that no version of the registry ever had. A killed registration leaves
        them; but in a database that was restored from a backup, the weights of all versions
        registered since are unknown too.

    Raises
    ------
    SharedStoreError
    """
    others = blobs.owners() - {database.registry_id}
    if others:
        raise SharedStoreError(tuple(sorted(others)), blobs.location)
    removed_blobs = size = kept = 0
    for stored in list(blobs.stored()):
        if stored.changed_at >= before:
            continue
        with database.read() as connection:
            is_referenced = _is_referenced(connection, stored.sha256)
            is_known = _is_known(connection, stored.sha256)
        if is_referenced:
            continue
        if not (is_known or unknown):
            kept += 1
        elif dry_run or _remove(database, blobs, stored.sha256):
            removed_blobs += 1
            size += stored.size
    temporary_files = 0
    for name, length in list(blobs.temporary_files(before)):
        if not dry_run:
            blobs.delete_temporary_file(name)
        temporary_files += 1
        size += length
    return GCResult(removed_blobs, temporary_files, size, kept)


def remove_blobs(database: Database, blobs: Blobs, digests: Iterable[str]) -> tuple[int, int]:
    """Remove those of some blobs that no version refers to; return their number and size.

    In a store that other registries use, nothing is removed.
    """
    removed = size = 0
    for sha256 in digests if is_own_store(database, blobs) else ():
        stored_size = blobs.size_of(sha256)
        if stored_size is not None and _remove(database, blobs, sha256):
            removed += 1
            size += stored_size
    return removed, size


def is_own_store(database: Database, blobs: Blobs) -> bool:
    """Tell whether no other registry uses the blob store."""
    return not blobs.owners() - {database.registry_id}


def _remove(database: Database, blobs: Blobs, sha256: str) -> bool:
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


def _is_known(connection: Connection, sha256: str) -> bool:
    """Tell whether a version with this blob was registered here."""
    query = sa.select(schema.blobs.c.size).where(schema.blobs.c.sha256 == sha256)
    return connection.scalar(query) is not None
