"""Exporting versions of a registry to a file."""

from pathlib import Path

from sqlalchemy.engine import Connection

from registry import events, schema
from registry.archives.archive_file import write_archive
from registry.archives.manifest import Manifest
from registry.blobs import Blobs
from registry.databases import Database
from registry.errors import DamagedHistoryError
from registry.queries import require_model, require_version
from registry.references import Reference, model_name
from registry.replay import Replay


def export_versions(
    database: Database, blobs: Blobs, selection: str, file: str | Path
) -> tuple[str, ...]:
    """Write versions with their weights and history to a file; return their references."""
    with database.read() as connection:
        manifest = _read_manifest(connection, selection)
    name = manifest.name
    was_edited = any(entry.hash != entry.expected_hash(name) for entry in manifest.chain)
    if manifest.replay.unreadable or was_edited:
        raise DamagedHistoryError(
            f"The history of {name} was edited, so no registry would import it. Verify the "
            "registry to see what changed, and restore the database from a backup."
        )
    write_archive(Path(file), manifest, blobs)
    return tuple(f"{name}/{number}" for number in sorted(manifest.documents))


def _read_manifest(connection: Connection, selection: str) -> Manifest:
    """Read the events of a model, or those of one version."""
    if "@" in selection or "/" in selection:
        version = require_version(connection, Reference.parse(selection))
        name, number = version.name, version.number
        conditions = [schema.events.c.number == number]
    else:
        name, conditions = model_name(selection), []
    chain = list(events.read_chain(connection, require_model(connection, name), *conditions))
    return Manifest(name, not conditions, chain, Replay(chain))
