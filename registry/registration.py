"""Adding versions."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from registry import details, events, schema
from registry.blobs import Blobs
from registry.databases import Database
from registry.details import Document
from registry.errors import IdempotencyConflictError, NotFoundError, UnavailableError
from registry.queries import lock_model, records, require_version, versions_where
from registry.records import READY, ModelVersion, Reference, now

# How often weights are stored that gc took away before their version was there. Each time they
# are a new file, so that once more is one too many already.
_TRIES = 10

# Versions of a model, from which on statistics are taken each time that their number doubles.
_FIRST_STATISTICS = 128

# Put together once, for that takes SQLAlchemy longer than to run them.
_TAKE_NUMBER = (
    sa.update(schema.models)
    .where(schema.models.c.id == sa.bindparam("model_id"))
    .values(next_version=schema.models.c.next_version + 1)
    .returning(schema.models.c.next_version - 1)
)
_INSERT_VERSION = sa.insert(schema.versions).returning(schema.versions.c.id)
_INSERT_DETAILS = {table: sa.insert(table) for table in details.TABLES}


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
    for _ in range(_TRIES):
        sha256 = blobs.put(weights)
        with database.write() as connection:
            model_id = _lock_or_create_model(connection, name)
            earlier = _registered_with(connection, model_id, key)
            if earlier is not None:
                return _same_weights(earlier, sha256, key)
            if document["parent"] is not None:
                require_version(connection, Reference.parse(document["parent"]))
            # Nobody collects while this transaction lasts: what is there now, stays.
            if not blobs.has(sha256):
                connection.rollback()
                continue
            time = now()
            document = {
                **document,
                "sha256": sha256,
                "size": len(weights),
                "created_at": time,
                "created_by": actor or None,
            }
            number = _take_number(connection, model_id)
            entry = events.append(
                connection,
                model_id,
                events.REGISTERED,
                {"version": document},
                at=time,
                actor=actor,
                number=number,
            )
            insert(connection, model_id, number, READY, document, entry.seq)
            if number >= _FIRST_STATISTICS and number.bit_count() == 1:
                database.take_statistics(connection)
            return require_version(connection, Reference(name, None, number))
    raise UnavailableError(
        f"The weights {sha256} were removed each time before they could be registered. Does "
        "another program clean the store of this registry?"
    )


def refuse(connection: Connection, name: str, document: Document, *, actor: str) -> events.Entry:
    """Add the event of a candidate that was refused, unless its run did so before."""
    model_id = _lock_or_create_model(connection, name)
    if document["parent"] is not None:
        require_version(connection, Reference.parse(document["parent"]))
    if document["run_id"] is not None:
        # Documents are JSON in one form only, with sorted names.
        part = details.canonical({name: document[name] for name in ("run_id", "sha256")})[1:-1]
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


def insert(
    connection: Connection,
    model_id: int,
    number: int,
    state: str,
    document: Document,
    event_seq: int,
) -> None:
    """Add the rows of a version whose weights are stored and whose event is written."""
    connection.execute(
        sa.text(
            "INSERT INTO blobs (sha256, size, created_at) VALUES (:sha256, :size, :created_at) "
            "ON CONFLICT DO NOTHING"
        ),
        {name: document[name] for name in ("sha256", "size", "created_at")},
    )
    version_id = connection.scalar(
        _INSERT_VERSION,
        {
            "model_id": model_id,
            "number": number,
            "state": state,
            "blob_sha256": document["sha256"],
            "event_seq": event_seq,
            "gate": details.gate_of(document),
            **{name: document[name] for name in details.COLUMNS},
        },
    )
    assert version_id is not None
    for table, rows in details.rows(document, version_id).items():
        connection.execute(_INSERT_DETAILS[table], rows)


def _lock_or_create_model(connection: Connection, name: str) -> int:
    try:
        return lock_model(connection, name)
    except NotFoundError:
        create_model(connection, name)
        return lock_model(connection, name)


def create_model(connection: Connection, name: str) -> None:
    """Add a model, unless another writer has by now."""
    connection.execute(
        sa.text(
            "INSERT INTO models (name, next_version, created_at) VALUES (:name, 1, :time) "
            "ON CONFLICT DO NOTHING"
        ),
        {"name": name, "time": now()},
    )


def _registered_with(connection: Connection, model_id: int, key: str | None) -> ModelVersion | None:
    if key is None:
        return None
    columns = schema.versions.c
    query = versions_where(columns.model_id == model_id, columns.idempotency_key == key)
    found = records(connection, query)
    return found[0] if found else None


def _same_weights(earlier: ModelVersion, sha256: str, key: str) -> ModelVersion:
    if earlier.sha256 != sha256:
        raise IdempotencyConflictError(key, earlier.reference, earlier.sha256, sha256)
    return earlier


def _take_number(connection: Connection, model_id: int) -> int:
    """Return a version number that nobody else gets."""
    number: int | None = connection.scalar(_TAKE_NUMBER, {"model_id": model_id})
    assert number is not None
    return number
