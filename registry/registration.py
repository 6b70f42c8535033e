"""Adding versions, and recording refused candidates."""

import functools

import sqlalchemy as sa
from sqlalchemy import Executable
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Connection

from registry import documents, events, schema
from registry.blobs import Blobs
from registry.databases import Database
from registry.documents import Document
from registry.errors import IdempotencyConflictError, NotFoundError, UnavailableError
from registry.queries import lock_model, read_versions, require_version, select_versions
from registry.records import READY, ModelVersion
from registry.references import Reference
from registry.replay import NO_ANNOTATIONS, Annotations
from registry.times import now

# Attempts to store weights that garbage collection removes before their version is committed. Every
# attempt writes a new file, so even a second one is unlikely.
_ATTEMPTS = 10

# Statistics are taken at this number of versions in a model, and at each doubling.
_FIRST_STATISTICS = 128

# Statements are built once, because SQLAlchemy takes longer to build them than to run them.
_TAKE_NUMBER = (
    sa.update(schema.models)
    .where(schema.models.c.id == sa.bindparam("model_id"))
    .values(next_number=schema.models.c.next_number + 1)
    .returning(schema.models.c.next_number - 1)
)
_INSERT_VERSION = sa.insert(schema.versions).returning(schema.versions.c.id)
_INSERT_DETAILS = {table: sa.insert(table) for table in documents.DETAIL_TABLES}


def register(
    database: Database,
    blobs: Blobs,
    name: str,
    weights: bytes,
    document: Document,
    *,
    actor: str,
) -> ModelVersion:
    """Store weights, then add their version in one transaction."""
    key = document["idempotency_key"]
    blobs.claim(database.registry_id, database.address)
    for _ in range(_ATTEMPTS):
        sha256, wait_for_disk = blobs.put_soon(weights)
        with database.write() as connection:
            model_id = _lock_or_create_model(connection, name)
            earlier = _registered_with(connection, model_id, key)
            if earlier is not None:
                _require_same_weights(earlier, sha256, key)
                wait_for_disk()
                return earlier
            _require_parent(connection, document)
            # Garbage collection waits for this transaction: a blob that is here now stays.
            if not blobs.has(sha256):
                connection.rollback()
                continue
            complete = {
                **document,
                "sha256": sha256,
                "size": len(weights),
                "created_at": now(),
                "created_by": str(actor) or None,
            }
            number = _add_version(connection, model_id, complete, actor=actor)
            if number >= _FIRST_STATISTICS and number.bit_count() == 1:
                database.take_statistics(connection)
            # The disk writes the weights while the rows are inserted. They are durable before
            # their version is committed.
            wait_for_disk()
            return documents.to_model_version(name, number, READY, None, None, None, complete)
    raise UnavailableError(
        f"The weights {sha256} were removed {_ATTEMPTS} times before they could be registered. "
        "Check whether another program deletes files from the blob store."
    )


def refuse(connection: Connection, name: str, document: Document, *, actor: str) -> events.Entry:
    """Record a refused candidate as an event, unless the same run recorded it before."""
    model_id = _lock_or_create_model(connection, name)
    _require_parent(connection, document)
    if document["run_id"] is not None:
        # Bodies are canonical JSON with sorted keys, so the two members are next to each other.
        part = documents.canonical_json({key: document[key] for key in ("run_id", "sha256")})[1:-1]
        columns = schema.events.c
        earlier = connection.execute(
            sa.select(*events.COLUMNS)
            .where(columns.model_id == model_id, columns.kind == events.REFUSED)
            .where(columns.body.contains(part, autoescape=True))
        ).first()
        if earlier is not None:
            return events.Entry._make(earlier)
    return events.append(
        connection, model_id, events.REFUSED, {"candidate": document}, at=now(), actor=actor
    )


def create_model(connection: Connection, name: str) -> None:
    """Add a model, unless another writer has added it meanwhile."""
    insert = _insert_if_absent(schema.models, connection.dialect.name)
    connection.execute(insert, {"name": name, "next_number": 1, "created_at": now()})


@functools.cache
def _insert_if_absent(table: sa.Table, dialect: str) -> Executable:
    """Return a statement that inserts a row unless its key is taken."""
    if dialect == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


def insert_version(
    connection: Connection,
    model_id: int,
    number: int,
    state: str,
    document: Document,
    event_seq: int,
    annotations: Annotations = NO_ANNOTATIONS,
) -> None:
    """Insert the rows of a version whose weights are stored and whose event is written."""
    tags = annotations.tags
    blob = {name: document[name] for name in ("sha256", "size", "created_at")}
    connection.execute(_insert_if_absent(schema.blobs, connection.dialect.name), blob)
    version_id = connection.scalar(
        _INSERT_VERSION,
        {
            "model_id": model_id,
            "number": number,
            "state": state,
            "blob_sha256": document["sha256"],
            "event_seq": event_seq,
            "gate": documents.gate_status(document),
            "tags": None if tags is None else documents.canonical_json(tags),
            "description": annotations.description,
            **{name: document[name] for name in documents.COLUMNS},
        },
    )
    assert version_id is not None
    if tags is not None:
        document = {**document, "tags": tags}
    for table, rows in documents.detail_rows(document, version_id).items():
        connection.execute(_INSERT_DETAILS[table], rows)


def _add_version(connection: Connection, model_id: int, document: Document, *, actor: str) -> int:
    """Add a version with the next free number, and return the number."""
    number: int | None = connection.scalar(_TAKE_NUMBER, {"model_id": model_id})
    assert number is not None
    entry = events.append(
        connection,
        model_id,
        events.REGISTERED,
        {"version": document},
        at=document["created_at"],
        actor=actor,
        number=number,
    )
    insert_version(connection, model_id, number, READY, document, entry.seq)
    return number


def _lock_or_create_model(connection: Connection, name: str) -> int:
    try:
        return lock_model(connection, name)
    except NotFoundError:
        create_model(connection, name)
        return lock_model(connection, name)


def _require_parent(connection: Connection, document: Document) -> None:
    if document["parent"] is not None:
        require_version(connection, Reference.parse(document["parent"]))


def _registered_with(connection: Connection, model_id: int, key: str | None) -> ModelVersion | None:
    if key is None:
        return None
    columns = schema.versions.c
    query = select_versions(columns.model_id == model_id, columns.idempotency_key == key)
    versions = read_versions(connection, query)
    return versions[0] if versions else None


def _require_same_weights(earlier: ModelVersion, sha256: str, key: str) -> None:
    if earlier.sha256 != sha256:
        raise IdempotencyConflictError(key, earlier.reference, earlier.sha256, sha256)
