"""Scored batches: what was scored, when, by which version, and how it looked."""

import dataclasses
import json
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from registry import messages, schema, validation
from registry.documents import canonical_json
from registry.errors import InvalidArgumentError, NotFoundError
from registry.records import (
    AgreedLabels,
    Batch,
    BatchRecord,
    DriftFigure,
    Estimate,
    ShadowFigures,
)
from registry.references import Reference
from registry.times import now, to_datetime, to_microseconds

_batches = schema.batches.c

_COLUMNS = (_batches.id, _batches.at, _batches.document, _batches.labels)


def record(connection: Connection, record: BatchRecord, key: str) -> Batch:
    """Add a batch, or replace what an earlier run recorded of it; return it.

    The message about its drift is written in the same transaction, once.
    """
    validation.digest("key", key)
    document = _to_document(record)
    reference = Reference.parse(record.version)
    values = {
        "model": reference.name,
        "number": reference.number,
        "drifted": int(record.has_drifted),
        "document": canonical_json(document),
    }
    # Two runs with one output wait for each other, so nobody inserts the key meanwhile.
    row = connection.execute(sa.select(*_COLUMNS).where(_batches.batch_key == key)).first()
    if row is None:
        values |= {"batch_key": key, "at": now()}
        insert = sa.insert(schema.batches).values(values).returning(*_COLUMNS)
        row = connection.execute(insert).one()
    else:
        where = _batches.id == row.id
        update = sa.update(schema.batches).where(where).values(values).returning(*_COLUMNS)
        row = connection.execute(update).one()
    batch = _to_batch(row)
    if batch.has_drifted:
        messages.write(connection, messages.BATCH_DRIFTED, _drift_body(batch), key=key, at=now())
    return batch


def add_labels(connection: Connection, batch_id: int, labels: AgreedLabels) -> Batch:
    """Set the labels that people agreed on for images of a batch; return the batch.

    Raises
    ------
    NotFoundError
    """
    text = canonical_json(_labels_document(labels))
    where = _batches.id == batch_id
    update = sa.update(schema.batches).where(where).values(labels=text).returning(*_COLUMNS)
    row = connection.execute(update).first()
    if row is None:
        raise _missing(batch_id)
    return _to_batch(row)


def find(connection: Connection, batch_id: int) -> Batch:
    """Return the batch with an id.

    Raises
    ------
    NotFoundError
    """
    row = connection.execute(sa.select(*_COLUMNS).where(_batches.id == batch_id)).first()
    if row is None:
        raise _missing(batch_id)
    return _to_batch(row)


def read(
    connection: Connection,
    name: str | None,
    *,
    number: int | None,
    since: datetime | None,
    drifted: bool,
    limit: int | None,
    before: int | None,
) -> list[Batch]:
    """Return batches, the newest first."""
    query = sa.select(*_COLUMNS).order_by(_batches.id.desc()).limit(limit)
    if name is not None:
        query = query.where(_batches.model == name)
    if number is not None:
        query = query.where(_batches.number == number)
    if since is not None:
        query = query.where(_batches.at >= to_microseconds(since))
    if drifted:
        query = query.where(_batches.drifted == 1)
    if before is not None:
        query = query.where(_batches.id < before)
    return [_to_batch(row) for row in connection.execute(query)]


def _missing(batch_id: int) -> NotFoundError:
    return NotFoundError(f"batch {batch_id}")


def _drift_body(batch: Batch) -> dict[str, Any]:
    return {
        "batch": batch.id,
        "version": batch.version,
        "output": batch.output,
        "files": batch.files,
        "drift": [dataclasses.asdict(figure) for figure in batch.drift if figure.is_far],
    }


def _to_document(record: BatchRecord) -> dict[str, Any]:
    """Return the document of a batch, validated."""
    if type(record) is not BatchRecord:
        raise InvalidArgumentError("record", "a BatchRecord", record)
    if Reference.parse(record.version).number is None:
        raise InvalidArgumentError("version", "a version, name/number", record.version)
    validation.digest("sha256", record.sha256)
    for name in ("digits", "histogram"):
        _counts(name, getattr(record, name))
    _counts("failures", tuple(record.failures.values()))
    _counts("files and novel", (record.files, record.novel))
    if record.labels is not None:
        _labels_document(record.labels)
    document = dataclasses.asdict(dataclasses.replace(record, failures=dict(record.failures)))
    try:
        canonical_json(document)
    except (TypeError, ValueError):
        raise InvalidArgumentError("record", "finite numbers and texts", record) from None
    return document


def _labels_document(labels: AgreedLabels) -> dict[str, Any]:
    _counts("labelled", labels.labelled)
    _counts("correct", labels.correct)
    document = dataclasses.asdict(labels)
    if len({len(members) for members in document.values()}) != 1:
        raise InvalidArgumentError("labels", "three figures for each bin", labels)
    for figure in labels.confidence:
        validation.finite("confidence", figure)
    if any(right > all_ for right, all_ in zip(labels.correct, labels.labelled, strict=True)):
        raise InvalidArgumentError("correct", "no more than the labelled ones", labels.correct)
    return document


def _counts(name: str, values: tuple[int, ...]) -> None:
    if not all(type(value) is int and value >= 0 for value in values):
        raise InvalidArgumentError(name, "whole numbers from 0", values)


def _to_batch(row: Any) -> Batch:
    document = json.loads(row.document)
    labels = document["labels"] if row.labels is None else json.loads(row.labels)
    return Batch(
        id=row.id,
        at=to_datetime(row.at),
        version=document["version"],
        sha256=document["sha256"],
        inputs=tuple(document["inputs"]),
        output=document["output"],
        files=document["files"],
        digits=tuple(document["digits"]),
        failures=document["failures"],
        novel=document["novel"],
        confidence=document["confidence"],
        histogram=tuple(document["histogram"]),
        estimate=_record(Estimate, document["estimate"]),
        drift=tuple(DriftFigure(**figure) for figure in document["drift"]),
        labels=None if labels is None else AgreedLabels(**{n: tuple(v) for n, v in labels.items()}),
        shadow=_record(ShadowFigures, document["shadow"]),
        seconds=document["seconds"],
    )


def _record(kind: Any, values: dict[str, Any] | None) -> Any:
    return None if values is None else kind(**values)
