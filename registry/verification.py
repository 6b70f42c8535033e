"""Looking for what is wrong in a registry."""

import time
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from registry import details, events, schema
from registry.blobs import Blobs
from registry.databases import Database
from registry.errors import BlobError, NotFoundError, UnavailableError
from registry.queries import WHAT_THERE_IS, model_id_of
from registry.records import Finding, Reference

# Seconds. A registration under way has its weights stored and no version as yet.
_GRACE = 3600.0

_versions = schema.versions.c


def verify(database: Database, blobs: Blobs, reference: Reference | None) -> Iterator[Finding]:
    """Yield what is wrong with one version, or with everything."""
    if reference is None:
        yield from database.findings()
    with database.read() as connection:
        query = sa.select(schema.models).order_by(schema.models.c.name)
        if reference is not None:
            _require(connection, reference)
            query = query.where(schema.models.c.name == reference.name)
        for model in connection.execute(query).all():
            yield from _model_findings(connection, model, reference)
        digests = sa.select(_versions.blob_sha256).distinct().order_by(_versions.blob_sha256)
        if reference is not None:
            digests = digests.where(
                _versions.number == reference.number,
                _versions.model_id == model_id_of(reference.name),
            )
        used = list(connection.scalars(digests))
    for sha256 in used:
        try:
            blobs.get(sha256)
        except (BlobError, UnavailableError) as error:
            # One that cannot be read is one wrong more, and the others are still looked at.
            yield Finding("error", f"blob {sha256[:12]}", str(error))
    if reference is None:
        yield from _orphans(blobs, set(used))


def _require(connection: Connection, reference: Reference) -> None:
    """Raise where there is no such version. Its record may be what is wrong with it."""
    query = sa.select(_versions.id).where(
        _versions.model_id == model_id_of(reference.name), _versions.number == reference.number
    )
    if connection.scalar(query) is None:
        raise NotFoundError(str(reference), WHAT_THERE_IS)


def _model_findings(
    connection: Connection, model: sa.Row[Any], reference: Reference | None
) -> Iterator[Finding]:
    # A version stands and falls with its event, and that with those before and after it.
    chain = list(events.entries(connection, model.id))
    for text in events.broken(
        model.name, chain, head=model.event_head, length=model.next_event - 1
    ):
        yield Finding("error", model.name, text)
    told = events.Replay(chain)
    for seq in told.unreadable:
        text = f"event {seq} does not say what was registered"
        yield Finding("error", model.name, text)
    query = sa.select(schema.versions).where(_versions.model_id == model.id)
    if reference is not None:
        query = query.where(_versions.number == reference.number)
    found = set()
    for row in connection.execute(query.order_by(_versions.number)).all():
        found.add(row.number)
        subject = f"{model.name}/{row.number}"
        for text in _version_findings(connection, row, told):
            yield Finding("error", subject, text)
        if row.number >= model.next_version:
            yield Finding("error", subject, "its number would be given once more")
    if reference is None:
        for number in sorted(set(told.documents) - found):
            text = "it was registered and is not there"
            yield Finding("error", f"{model.name}/{number}", text)
        yield from _alias_findings(connection, model, told)


def _version_findings(
    connection: Connection, row: sa.Row[Any], told: events.Replay
) -> Iterator[str]:
    if row.number not in told.documents:
        yield "no event tells of its registration"
        return
    seq, document = told.documents[row.number]
    if row.event_seq != seq:
        yield f"it refers to event {row.event_seq}, and was registered by event {seq}"
    try:
        columns = {
            "blob_sha256": document["sha256"],
            **{name: document[name] for name in details.COLUMNS},
            "gate": details.gate_of(document),
        }
        expected = details.rows(document, row.id)
    except (KeyError, TypeError, AttributeError):
        yield f"event {seq} does not say what was registered"
        return
    columns["state"] = told.state_of(row.number)
    for name, value in columns.items():
        if getattr(row, name) != value:
            yield f"its {name} is {getattr(row, name)!r}, and the event says {value!r}"
    size = connection.scalar(
        sa.select(schema.blobs.c.size).where(schema.blobs.c.sha256 == row.blob_sha256)
    )
    if size != document["size"]:
        yield f"its size is {size!r}, and the event says {document['size']!r}"
    for table in details.TABLES:
        held = connection.execute(sa.select(table).where(table.c.version_id == row.id)).mappings()
        if not _are_same(list(map(dict, held)), expected.get(table, [])):
            yield f"its {table.name} are not those that the event says"


def _are_same(held: list[dict[str, Any]], expected: list[Any]) -> bool:
    return sorted(map(details.canonical, held)) == sorted(
        details.canonical(dict(row)) for row in expected
    )


def _alias_findings(
    connection: Connection, model: sa.Row[Any], told: events.Replay
) -> Iterator[Finding]:
    columns = schema.aliases.c
    rows = connection.execute(
        sa.select(columns.alias, columns.number, columns.generation, columns.updated_at).where(
            columns.model_id == model.id
        )
    )
    held = {alias: tuple(place) for alias, *place in rows}
    moved = {alias: (entry.number, entry.seq, entry.at) for alias, entry in told.aliases.items()}
    for alias in sorted(held.keys() | moved.keys()):
        if held.get(alias) != moved.get(alias):
            is_at, was_moved = (
                f"at version {place[0]} since event {place[1]}, time {place[2]}"
                if place
                else "not set"
                for place in (held.get(alias), moved.get(alias))
            )
            text = f"it is {is_at}, and the last event says {was_moved}"
            yield Finding("error", f"{model.name}@{alias}", text)


def _orphans(blobs: Blobs, used: set[str]) -> Iterator[Finding]:
    before = time.time() - _GRACE
    what_next = "`digits gc` removes it"
    for stored in blobs.stored():
        if stored.sha256 not in used and stored.changed_at < before:
            text = f"no version has these weights ({stored.size:,} bytes); {what_next}"
            yield Finding("warning", f"blob {stored.sha256[:12]}", text)
    for name, size in blobs.temporary_files(before):
        text = f"a registration that was killed left it ({size:,} bytes); {what_next}"
        yield Finding("warning", f"temporary file {name}", text)
