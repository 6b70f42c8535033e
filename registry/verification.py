"""Checking a registry: database, history, versions, aliases and blobs."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from registry import documents, events, schema
from registry.blobs import Blobs
from registry.databases import Database
from registry.documents import canonical_json
from registry.errors import BlobError, UnavailableError
from registry.queries import model_id_of
from registry.records import Finding
from registry.references import Reference
from registry.replay import Replay
from registry.times import now

if TYPE_CHECKING:
    from registry.signing import TrustedKeys

# Seconds. A registration in progress has stored its weights, but not yet its version.
_GRACE = 3600.0

_versions = schema.versions.c


def verify(
    database: Database, blobs: Blobs, reference: Reference | None, keys: "TrustedKeys | None"
) -> Iterator[Finding]:
    """Yield the problems of one version, or of the whole registry if there is no reference.

    With keys, also the events that none of them signed.
    """
    if reference is None:
        yield from database.findings()
    with database.read() as connection:
        query = sa.select(schema.models).order_by(schema.models.c.name)
        if reference is not None:
            query = query.where(schema.models.c.name == reference.name)
        for model in connection.execute(query).all():
            yield from _model_findings(connection, model, reference)
            if keys is not None:
                number = None if reference is None else reference.number
                yield from _signature_findings(connection, model, number, keys)
        digests = sa.select(_versions.blob_sha256).distinct().order_by(_versions.blob_sha256)
        if reference is not None:
            digests = digests.where(
                _versions.number == reference.number,
                _versions.model_id == model_id_of(reference.name),
            )
        referenced = list(connection.scalars(digests))
    for sha256 in referenced:
        try:
            blobs.get(sha256)
        except (BlobError, UnavailableError) as error:
            # A blob that cannot be read is one more finding; the others are still checked.
            yield Finding("error", f"blob {sha256[:12]}", str(error))
    if reference is None:
        yield from _leftovers(database, blobs, set(referenced))


def _model_findings(
    connection: Connection, model: sa.Row[Any], reference: Reference | None
) -> Iterator[Finding]:
    # A version depends on its event, and an event on the whole chain.
    chain = list(events.read_chain(connection, model.id))
    length = model.next_event - 1
    for text in events.chain_problems(model.name, chain, head=model.head_hash, length=length):
        yield Finding("error", model.name, text)
    for text in events.time_jumps(chain, now()):
        yield Finding("warning", model.name, text)
    replay = Replay(chain)
    for seq in replay.unreadable:
        yield Finding("error", model.name, f"event {seq} has no readable document")
    query = sa.select(schema.versions).where(_versions.model_id == model.id)
    if reference is not None:
        query = query.where(_versions.number == reference.number)
    numbers = set()
    for row in connection.execute(query.order_by(_versions.number)).all():
        numbers.add(row.number)
        subject = f"{model.name}/{row.number}"
        for text in _version_problems(connection, row, replay):
            yield Finding("error", subject, text)
        if row.number >= model.next_number:
            yield Finding("error", subject, "its number would be assigned again")
    if reference is None:
        for number in sorted(set(replay.documents) - numbers):
            text = "it was registered, but is missing"
            yield Finding("error", f"{model.name}/{number}", text)
        yield from _row_findings(model, replay)
        yield from _alias_findings(connection, model, replay)
        yield from _protection_findings(connection, model, replay)


def _signature_findings(
    connection: Connection, model: sa.Row[Any], number: int | None, keys: "TrustedKeys"
) -> Iterator[Finding]:
    """Yield the events of one version, or of the whole model, that no trusted key signed."""
    conditions = [] if number is None else [schema.events.c.number == number]
    subject = model.name if number is None else f"{model.name}/{number}"
    for text in keys.problems(events.read_chain(connection, model.id, *conditions)):
        yield Finding("error", subject, text)


def _row_findings(model: sa.Row[Any], replay: Replay) -> Iterator[Finding]:
    """Yield the differences between the row of a model and its events."""
    for number in sorted(n for n in replay.deleted if n >= model.next_number):
        text = "it was deleted, but its number would be assigned again"
        yield Finding("error", f"{model.name}/{number}", text)
    if model.description != replay.description:
        text = f"it is described as {model.description!r}, but not by its events"
        yield Finding("error", model.name, text)


def _version_problems(connection: Connection, row: sa.Row[Any], replay: Replay) -> Iterator[str]:
    """Yield the differences between the rows of a version and its event."""
    if row.number not in replay.documents:
        is_deleted = row.number in replay.deleted
        yield "it was deleted" if is_deleted else "no event records its registration"
        return
    seq, document = replay.documents[row.number]
    if row.event_seq != seq:
        yield f"it refers to event {row.event_seq}, but event {seq} registered it"
    try:
        columns = {
            "blob_sha256": document["sha256"],
            **{name: document[name] for name in documents.COLUMNS},
            "gate": documents.gate_status(document),
        }
        annotations = replay.annotations_of(row.number)
        tags = document["tags"] if annotations.tags is None else annotations.tags
        details = documents.detail_rows({**document, "tags": tags}, row.id)
    except (KeyError, TypeError, AttributeError):
        yield f"event {seq} has no readable document"
        return
    columns["state"] = replay.state_of(row.number)
    columns["description"] = annotations.description
    columns["tags"] = None if annotations.tags is None else canonical_json(tags)
    for name, value in columns.items():
        if getattr(row, name) != value:
            yield f"its {name} is {getattr(row, name)!r}, but its event says {value!r}"
    size = connection.scalar(
        sa.select(schema.blobs.c.size).where(schema.blobs.c.sha256 == row.blob_sha256)
    )
    if size != document["size"]:
        yield f"its size is {size!r}, but its event says {document['size']!r}"
    for table in documents.DETAIL_TABLES:
        query = sa.select(table).where(table.c.version_id == row.id)
        stored = list(map(dict, connection.execute(query).mappings()))
        if not _have_same_rows(stored, details.get(table, [])):
            yield f"its {table.name} differ from its event"


def _have_same_rows(stored: list[dict[str, Any]], expected: list[Any]) -> bool:
    return sorted(map(canonical_json, stored)) == sorted(
        canonical_json(dict(row)) for row in expected
    )


def _alias_findings(
    connection: Connection, model: sa.Row[Any], replay: Replay
) -> Iterator[Finding]:
    columns = schema.aliases.c
    rows = connection.execute(
        sa.select(columns.alias, columns.number, columns.generation, columns.moved_at).where(
            columns.model_id == model.id
        )
    )
    stored = {alias: (number, seq, at) for alias, number, seq, at in rows}
    expected = {
        alias: (entry.number, entry.seq, entry.at) for alias, entry in replay.aliases.items()
    }
    for alias in sorted(stored.keys() | expected.keys()):
        if stored.get(alias) != expected.get(alias):
            text = (
                f"it is {_alias_text(stored.get(alias))}, "
                f"but its last event says {_alias_text(expected.get(alias))}"
            )
            yield Finding("error", f"{model.name}@{alias}", text)


def _protection_findings(
    connection: Connection, model: sa.Row[Any], replay: Replay
) -> Iterator[Finding]:
    protected, approvals = schema.protected_aliases.c, schema.approvals.c
    rows = connection.execute(
        sa.select(protected.alias, protected.approvals).where(protected.model_id == model.id)
    )
    if dict(map(tuple, rows)) != replay.protected:
        yield Finding("error", model.name, "its protected aliases differ from its events")
    stored = connection.execute(
        sa.select(approvals.alias, approvals.number, approvals.actor).where(
            approvals.model_id == model.id
        )
    )
    expected = {
        (alias, number, events.approved_by(entry))
        for (alias, number), entries in replay.approvals.items()
        for entry in entries
    }
    if set(map(tuple, stored)) != expected:
        yield Finding("error", model.name, "its approvals differ from its events")


def _alias_text(target: tuple[int | None, int, int] | None) -> str:
    if target is None:
        return "not set"
    number, seq, at = target
    return f"at version {number} since event {seq}, time {at}"


def _leftovers(database: Database, blobs: Blobs, referenced: set[str]) -> Iterator[Finding]:
    before = time.time() - _GRACE
    for other in sorted(blobs.owners() - {database.registry_id}):
        text = f"another registry uses it too (registries/{other}), so nothing in it is garbage"
        yield Finding("warning", "blob store", text)
    with database.read() as connection:
        known = set(connection.scalars(sa.select(schema.blobs.c.sha256)))
    for stored in blobs.stored():
        if stored.sha256 not in referenced and stored.changed_at < before:
            origin = (
                "its version was deleted; garbage collection removes it"
                if stored.sha256 in known
                else "no version here ever had it. It may be left by a killed registration, or be "
                "registered after the backup that the database was restored from"
            )
            text = f"{origin} ({stored.size:,} bytes)"
            yield Finding("warning", f"blob {stored.sha256[:12]}", text)
    for name, size in blobs.temporary_files(before):
        text = f"a killed registration left it ({size:,} bytes); garbage collection removes it"
        yield Finding("warning", f"temporary file {name}", text)
