"""Reading versions with everything that belongs to them."""

import json
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from registry import schema
from registry.records import ModelVersion

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Versions whose details one query fetches: below every database's limit on bound values.
_BATCH = 500


def model_id_of(name: str) -> sa.ScalarSelect[int]:
    """Return the id of a model, for use inside a query.

    A subquery, not a join: it lets PostgreSQL read "newest first" off the index.
    """
    return sa.select(schema.models.c.id).where(schema.models.c.name == name).scalar_subquery()


def find_versions(
    connection: Connection, *conditions: sa.ColumnElement[bool], limit: int | None = None
) -> list[ModelVersion]:
    """Return versions with all their details, newest first, in a bounded number of queries."""
    rows = connection.execute(
        sa.select(schema.versions, schema.models.c.name, schema.blobs.c.size)
        .join(schema.models, schema.models.c.id == schema.versions.c.model_id)
        .join(schema.blobs, schema.blobs.c.sha256 == schema.versions.c.blob_sha256)
        .where(*conditions)
        .order_by(schema.versions.c.id.desc())
        .limit(limit)
    ).all()
    ids = [row.id for row in rows]
    metrics = _details(connection, schema.version_metrics, ids)
    params = _details(connection, schema.version_params, ids)
    tags = _details(connection, schema.version_tags, ids)
    inputs = _details(connection, schema.version_inputs, ids)
    aliases = _aliases(connection, {row.model_id for row in rows})
    return [
        ModelVersion(
            name=row.name,
            number=row.number,
            state=row.state,
            sha256=row.blob_sha256,
            size=row.size,
            metrics=MappingProxyType(metrics.get(row.id, {})),
            params=MappingProxyType(
                {name: json.loads(value) for name, value in params.get(row.id, {}).items()}
            ),
            tags=MappingProxyType(tags.get(row.id, {})),
            inputs=MappingProxyType(inputs.get(row.id, {})),
            aliases=tuple(sorted(aliases.get((row.model_id, row.number), ()))),
            run_id=row.run_id,
            created_at=_EPOCH + timedelta(microseconds=row.created_at),
        )
        for row in rows
    ]


def _details(
    connection: Connection, table: sa.Table, version_ids: list[int]
) -> dict[int, dict[str, Any]]:
    found: dict[int, dict[str, Any]] = {}
    for start in range(0, len(version_ids), _BATCH):
        rows = connection.execute(
            sa.select(table)
            .where(table.c.version_id.in_(version_ids[start : start + _BATCH]))
            .order_by(table.columns[1])
        )
        for version_id, name, value in rows:
            found.setdefault(version_id, {})[name] = value
    return found


def _aliases(
    connection: Connection, model_ids: Collection[int]
) -> dict[tuple[int, int], list[str]]:
    found: dict[tuple[int, int], list[str]] = {}
    rows = connection.execute(
        sa.select(schema.aliases).where(schema.aliases.c.model_id.in_(model_ids))
    )
    for row in rows:
        found.setdefault((row.model_id, row.number), []).append(row.alias)
    return found
