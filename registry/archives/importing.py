"""Importing the versions of an export into a registry."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from registry import events, registration, schema
from registry.archives.archive_file import open_archive
from registry.archives.manifest import Manifest
from registry.blobs import Blobs
from registry.databases import Database
from registry.documents import Document, canonical_json
from registry.errors import CollisionError, UnavailableError
from registry.events import Entry
from registry.queries import lock_model, model_id_of
from registry.records import ImportResult
from registry.replay import Annotations
from registry.times import now


def import_versions(
    database: Database, blobs: Blobs, file: str | Path, *, actor: str
) -> ImportResult:
    """Add the versions of a file, all of them or none."""
    with open_archive(Path(file)) as archive:
        manifest = archive.manifest
        with database.read() as connection:
            # Collisions are found before weights are stored, and again under the lock.
            _Plan(connection, manifest)
        blobs.claim(database.registry_id, database.address)
        for weights in archive.weights():
            blobs.put(weights)
    with database.write() as connection:
        registration.create_model(connection, manifest.name)
        model_id = lock_model(connection, manifest.name)
        plan = _Plan(connection, manifest)
        for sha256 in manifest.sizes:
            if not blobs.has(sha256):
                raise UnavailableError(
                    f"The weights {sha256} were removed while they were imported. Import again."
                )
        if plan.adds_whole_model:
            _add_model(connection, model_id, manifest)
        else:
            _add_versions(connection, model_id, manifest, plan.added, actor)
    return plan.result


class _Plan:
    """What an import will do, given the current state of the registry.

    Raises
    ------
    CollisionError
    """

    def __init__(self, connection: Connection, manifest: Manifest) -> None:
        imported = manifest.documents
        stored = _stored_documents(connection, manifest.name)
        deleted = _deleted_documents(connection, manifest.name)
        numbers_by_key = {
            document["idempotency_key"]: number
            for number, document in stored.items()
            if document["idempotency_key"]
        }
        collisions = [
            number
            for number, document in sorted(imported.items())
            if (stored | deleted).get(number, document) != document
            or numbers_by_key.get(document["idempotency_key"], number) != number
        ]
        if collisions:
            raise CollisionError(_references(manifest.name, collisions))
        # What was deleted here is not brought back: its number has been used.
        self.added = sorted(imported.keys() - stored.keys() - deleted.keys())
        # Without events there are no refused candidates either, whose events would collide.
        self.adds_whole_model = manifest.complete and not _has_events(connection, manifest.name)
        self.result = ImportResult(
            added=_references(manifest.name, self.added),
            present=_references(manifest.name, sorted(imported.keys() & stored.keys())),
            deleted=_references(manifest.name, sorted(imported.keys() & deleted.keys())),
        )


def _has_events(connection: Connection, name: str) -> bool:
    columns = schema.events.c
    query = sa.select(columns.seq).where(columns.model_id == model_id_of(name)).limit(1)
    return connection.scalar(query) is not None


def _references(name: str, numbers: Iterable[int]) -> tuple[str, ...]:
    return tuple(f"{name}/{number}" for number in numbers)


def _stored_documents(connection: Connection, name: str) -> dict[int, Document]:
    """Return the documents of a model's versions, by number."""
    versions, columns = schema.versions.c, schema.events.c
    rows = connection.execute(
        sa.select(versions.number, columns.body)
        .join(
            schema.events,
            sa.and_(columns.model_id == versions.model_id, columns.seq == versions.event_seq),
        )
        .where(versions.model_id == model_id_of(name))
    )
    return {number: events.parse_body(body)["version"] for number, body in rows}


def _annotating(
    document: Document, annotations: Annotations
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the kinds and bodies of the events that lead to the annotations of a version."""
    if annotations.tags is not None:
        yield events.TAGGED, {"tags": annotations.tags, "from": document["tags"]}
    if annotations.description is not None:
        yield events.DESCRIBED, {"description": annotations.description, "from": None}


def _deleted_documents(connection: Connection, name: str) -> dict[int, Document | None]:
    """Return the documents that deleted versions of a model had, by number."""
    columns = schema.events.c
    tombstones = schema.events.alias()
    rows = connection.execute(
        sa.select(columns.number, columns.body)
        .join(
            tombstones,
            sa.and_(
                tombstones.c.model_id == columns.model_id,
                tombstones.c.number == columns.number,
                tombstones.c.kind == events.DELETED,
            ),
        )
        .where(columns.model_id == model_id_of(name))
        .where(columns.kind.in_(events.VERSION_KINDS))
    )
    return {number: events.parse_body(body).get("version") for number, body in rows}


def _add_model(connection: Connection, model_id: int, manifest: Manifest) -> None:
    """Add a model as it was: its chain of events, and the state they lead to."""
    replay, last = manifest.replay, manifest.chain[-1]
    connection.execute(
        sa.insert(schema.events),
        [{"model_id": model_id, **entry._asdict()} for entry in manifest.chain],
    )
    connection.execute(
        sa.update(schema.models)
        .where(schema.models.c.id == model_id)
        .values(
            next_number=max(replay.numbers, default=0) + 1,
            next_event=last.seq + 1,
            head_hash=last.hash,
            event_at=last.at,
            description=replay.description,
        )
    )
    for number, (seq, document) in sorted(replay.documents.items()):
        state = replay.state_of(number)
        annotations = replay.annotations_of(number)
        registration.insert_version(connection, model_id, number, state, document, seq, annotations)
    for alias, entry in replay.aliases.items():
        connection.execute(
            sa.insert(schema.aliases).values(
                model_id=model_id,
                alias=alias,
                number=entry.number,
                generation=entry.seq,
                moved_at=entry.at,
            )
        )
    for alias, needed in replay.protected.items():
        row = {"model_id": model_id, "alias": alias, "approvals": needed}
        connection.execute(sa.insert(schema.protected_aliases).values(row))
    for (alias, number), entries in replay.approvals.items():
        for entry in entries:
            row = {"model_id": model_id, "alias": alias, "number": number, "at": entry.at}
            reason = events.parse_body(entry.body).get("reason")
            connection.execute(
                sa.insert(schema.approvals).values(
                    actor=events.approved_by(entry), reason=reason, **row
                )
            )


def _embedded(entry: Entry) -> list[Any]:
    """Return an event as the body of another one holds it.

    Its own body becomes an object. As a text, its quotes would be escaped, so a version that goes
    from registry to registry would double its record each time.
    """
    content = events.parse_body(entry.body)
    fields: dict[str, Any] = entry._asdict()
    if entry.signature is None:
        del fields["signature"], fields["key_id"]
    if canonical_json(content) == entry.body:
        fields["body"] = content
    return list(fields.values())


def _add_versions(
    connection: Connection, model_id: int, manifest: Manifest, numbers: Iterable[int], actor: str
) -> None:
    """Add versions to a model that has its own history.

    The events of each version are kept in the body of the event that imports it.
    """
    models, replay = schema.models, manifest.replay
    for number in numbers:
        _, document = replay.documents[number]
        source = [_embedded(entry) for entry in manifest.chain if entry.number == number]
        body = {"version": document, "source": source}
        entry = events.append(
            connection, model_id, events.IMPORTED, body, at=now(), actor=actor, number=number
        )
        state = replay.state_of(number)
        annotations = replay.annotations_of(number)
        registration.insert_version(
            connection, model_id, number, state, document, entry.seq, annotations
        )
        for kind, details in _annotating(document, annotations):
            events.append(connection, model_id, kind, details, at=now(), actor=actor, number=number)
        if number in replay.archived:
            events.append(
                connection, model_id, events.ARCHIVED, {}, at=now(), actor=actor, number=number
            )
        connection.execute(
            sa.update(models)
            .where(models.c.id == model_id, models.c.next_number <= number)
            .values(next_number=number + 1)
        )
