"""Reading versions with everything that belongs to them, in one query."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from registry import schema
from registry.details import version_of
from registry.errors import DamagedHistoryError, NotFoundError
from registry.events import read_body
from registry.filters import Order
from registry.records import Alias, ModelVersion, Reference, moment

_versions = schema.versions.c
_events = schema.events.c

_ALIASES = (
    sa.select(sa.func.aggregate_strings(schema.aliases.c.alias, ","))
    .where(schema.aliases.c.model_id == _versions.model_id)
    .where(schema.aliases.c.number == _versions.number)
    .scalar_subquery()
)

_metrics = schema.version_metrics

WHAT_THERE_IS = "`digits versions` lists what there is."


def model_id_of(name: str | sa.BindParameter[str]) -> sa.ScalarSelect[int]:
    """Return the id of a model, for use inside a query.

    A subquery, not a join: it lets PostgreSQL read "newest first" off the index.
    """
    return sa.select(schema.models.c.id).where(schema.models.c.name == name).scalar_subquery()


# Put together once, as those of `find_version` below. On SQLite the transaction is the lock.
_LOCK = (
    sa.select(schema.models.c.id)
    .where(schema.models.c.name == sa.bindparam("name"))
    .with_for_update()
)


def lock_model(connection: Connection, name: str) -> int:
    """Return the id of a model; until the transaction ends, nobody else changes the model.

    Raises
    ------
    NotFoundError
    """
    found: int | None = connection.scalar(_LOCK, {"name": name})
    if found is None:
        raise NotFoundError(f"model {name}", WHAT_THERE_IS)
    return found


def versions_where(*conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Return the query for versions, with the events that hold their records."""
    return (
        sa.select(
            schema.models.c.name,
            _versions.number,
            _versions.state,
            _versions.blob_sha256,
            _events.body,
            _ALIASES,
        )
        .select_from(schema.versions)
        .join(schema.models, schema.models.c.id == _versions.model_id)
        .outerjoin(
            schema.events,
            sa.and_(
                _events.model_id == _versions.model_id,
                _events.seq == _versions.event_seq,
                _events.number == _versions.number,
            ),
        )
        .where(*conditions)
    )


# Put together once: that takes SQLAlchemy several times as long as to run them.
_MODEL = model_id_of(sa.bindparam("name"))
_ALIAS = (
    sa.select(schema.aliases.c.number)
    .where(schema.aliases.c.model_id == _MODEL)
    .where(schema.aliases.c.alias == sa.bindparam("alias"))
    .scalar_subquery()
)
_BY_NUMBER = versions_where(
    _versions.model_id == _MODEL, _versions.number == sa.bindparam("number")
)
_BY_ALIAS = versions_where(_versions.model_id == _MODEL, _versions.number == _ALIAS)
_LATEST = versions_where(_versions.model_id == _MODEL).order_by(_versions.number.desc()).limit(1)


def find_version(connection: Connection, reference: Reference) -> ModelVersion | None:
    """Return the version of a number or an alias, if it is there."""
    query = _BY_NUMBER if reference.alias is None else _BY_ALIAS
    values = {"name": reference.name, "number": reference.number, "alias": reference.alias}
    found = records(connection, query, values)
    return found[0] if found else None


def find_latest(connection: Connection, name: str) -> ModelVersion | None:
    """Return the version of a model with the highest number, if there is any."""
    found = records(connection, _LATEST, {"name": name})
    return found[0] if found else None


def require_version(connection: Connection, reference: Reference) -> ModelVersion:
    """Return the version of a number or an alias.

    Raises
    ------
    NotFoundError
    """
    found = find_version(connection, reference)
    if found is None:
        raise NotFoundError(str(reference), WHAT_THERE_IS)
    return found


def records(
    connection: Connection, query: sa.Select[Any], values: Mapping[str, Any] | None = None
) -> list[ModelVersion]:
    """Return the versions of a query of `versions_where`, with these values of its parameters.

    Raises
    ------
    DamagedHistoryError
    """
    return [_record(*row) for row in connection.execute(query, values)]


def _record(
    name: str, number: int, state: str, sha256: str, body: str | None, aliases: str | None
) -> ModelVersion:
    try:
        document = read_body(body or "")["version"]
        version = version_of(name, number, state, aliases, document)
    except (KeyError, TypeError, AttributeError, OverflowError, DamagedHistoryError):
        version = None
    if version is None or version.sha256 != sha256:
        raise DamagedHistoryError(
            f"The record of {name}/{number} was edited or lost. `digits verify` says where; "
            "restore the database from a backup."
        )
    return version


def page(
    connection: Connection,
    *,
    name: str | None,
    where: sa.ColumnElement[bool] | None,
    order: Order | None,
    limit: int | None,
    after: Reference | None,
) -> list[ModelVersion]:
    """Return versions in an order, those that follow a given one.

    A page is found by the place of the version before it, not by counting: the thousandth costs
    what the first does, and versions that are added meanwhile move nothing.

    Raises
    ------
    NotFoundError
        Where there is no version to follow, or it has no place in the order.
    """
    columns = _sort_columns(name, order)
    query = versions_where()
    if name is not None:
        query = query.where(_versions.model_id == model_id_of(name))
    if where is not None:
        query = query.where(where)
    if order is not None and order.name is not None:
        query = query.join(_metrics, _is_metric(order.name))
    descending = order is None or order.descending
    if after is not None:
        place = sa.tuple_(*columns)
        last = sa.tuple_(*_place_of(connection, after, columns, order))
        query = query.where(place < last if descending else place > last)
    sort = [column.desc() if descending else column.asc() for column in columns]
    return records(connection, query.order_by(*sort).limit(limit))


def _sort_columns(name: str | None, order: Order | None) -> list[sa.ColumnElement[Any]]:
    """Return what versions are sorted by, and what decides between equals: as indexes have it."""
    if order is None:
        return [_versions.id if name is None else _versions.number]
    if order.part == "metrics":
        return [_metrics.c.value, _metrics.c.version_id]
    if order.part == "created_at":
        return [_versions.created_at, _versions.number, _versions.id]
    return [_versions.number, _versions.id]


def _is_metric(name: str) -> sa.ColumnElement[bool]:
    return sa.and_(_metrics.c.version_id == _versions.id, _metrics.c.name == name)


def _place_of(
    connection: Connection,
    reference: Reference,
    columns: list[sa.ColumnElement[Any]],
    order: Order | None,
) -> list[sa.BindParameter[Any]]:
    """Return the values that a version is sorted by."""
    query = sa.select(*columns).select_from(schema.versions)
    if order is not None and order.name is not None:
        query = query.join(_metrics, _is_metric(order.name))
    row = connection.execute(
        query.where(
            _versions.model_id == model_id_of(reference.name),
            _versions.number == reference.number,
        )
    ).one_or_none()
    if row is None:
        raise NotFoundError(str(reference), "So there is nothing after it in this order.")
    return [sa.literal(value, column.type) for value, column in zip(row, columns, strict=True)]


def find_alias(connection: Connection, name: str, alias: str) -> Alias | None:
    """Return where an alias points, and who moved it there, if it is set."""
    aliases = schema.aliases.c
    row = connection.execute(
        sa.select(aliases.number, aliases.generation, aliases.updated_at, _events.actor)
        .select_from(schema.aliases)
        .outerjoin(
            schema.events,
            sa.and_(_events.model_id == aliases.model_id, _events.seq == aliases.generation),
        )
        .where(aliases.model_id == model_id_of(name), aliases.alias == alias)
    ).one_or_none()
    if row is None:
        return None
    number, generation, moved_at, moved_by = row
    return Alias(name, alias, number, generation, moment(moved_at), moved_by or None)
