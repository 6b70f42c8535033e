"""Copying a version to another model, or to another registry."""

from registry import documents, registration
from registry.blobs import Blobs
from registry.databases import Database
from registry.documents import Document
from registry.errors import InvalidArgumentError
from registry.queries import registration_hash, require_version
from registry.records import ModelVersion, Origin, RunRecord
from registry.references import Reference


def copy_version(
    source: tuple[Database, Blobs],
    reference: Reference,
    target: tuple[Database, Blobs],
    name: str,
    *,
    actor: str,
) -> ModelVersion:
    """Register a version once more, with its weights and its origin; return the copy.

    Raises
    ------
    NotFoundError
    InvalidArgumentError
        If the copy would be in the same model of the same registry.
    MissingBlobError, DamagedBlobError
    """
    database, blobs = source
    with database.read() as connection:
        version = require_version(connection, reference)
        event = registration_hash(connection, version)
    if name == version.name and target[0].registry_id == database.registry_id:
        raise InvalidArgumentError("copy", "another model, or another registry", name)
    origin = version.origin or Origin(
        registry=database.address,
        reference=version.reference,
        event=event,
        created_at=version.created_at,
        created_by=version.created_by,
        parent=version.parent,
    )
    document = _document(version, origin)
    return registration.register(*target, name, blobs.get(version.sha256), document, actor=actor)


def _document(version: ModelVersion, origin: Origin) -> Document:
    """Return the document of a copy. Its parent is known where it comes from, so it has none."""
    record = RunRecord(
        metrics=version.metrics,
        params=version.params,
        tags=version.tags,
        inputs=version.inputs,
        environment=version.environment,
        gate=version.gate,
        code_version=version.code_version,
        run_id=version.run_id,
    )
    # A copy that is repeated, by whatever way it came, is the same version.
    document = documents.to_document(record, f"copy:{origin.event}")
    return {**document, "origin": documents.origin_document(origin)}
