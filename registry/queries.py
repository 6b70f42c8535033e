"""Reading versions with their details and aliases, in one query."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from registry import events, schema
from registry.documents import to_damaged_version, to_model_version
from registry.errors import DamagedHistoryError, NotFoundError
from registry.filters import Condition, Order, rare_versions, to_sql
from registry.records import DAMAGED, Alias, MetricValue, ModelVersion
from registry.references import LATEST, Reference
from registry.times import to_datetime

_versions = schema.versions.c
_events = schema.events.c
_metrics = schema.version_metrics

_ALIASES = (
    sa.select(sa.func.aggregate_strings(schema.aliases.c.alias, ","))
    .where(schema.aliases.c.model_id == _versions.model_id)
    .where(schema.aliases.c.number == _versions.number)
    .scalar_subquery()
)


def model_id_of(name: str | sa.BindParameter[str]) -> sa.ScalarSelect[int]:
    """Return the id of a model as a subquery.

    A subquery lets PostgreSQL read "newest first" from the index; a join does not.
    """
    return sa.select(schema.models.c.id).where(schema.models.c.name == name).scalar_subquery()


# Built once, like the statements below. SQLite needs no row lock: the transaction is exclusive.
_LOCK_MODEL = (
    sa.select(schema.models.c.id)
    .where(schema.models.c.name == sa.bindparam("name"))
    .with_for_update()
)


def lock_model(connection: Connection, name: str) -> int:
    """Lock a model until the end of the transaction, and return its id.

    Raises
    ------
    NotFoundError
    """
    model_id: int | None = connection.scalar(_LOCK_MODEL, {"name": name})
    if model_id is None:
        raise NotFoundError(f"model {name}")
    return model_id


def require_model(connection: Connection, name: str) -> int:
    """Return the id of a model, without locking it.

    Raises
    ------
    NotFoundError
    """
    model_id: int | None = connection.scalar(sa.select(model_id_of(name)))
    if model_id is None:
        raise NotFoundError(f"model {name}")
    return model_id


def select_versions(*conditions: sa.ColumnElement[bool]) -> sa.Select[Any]:
    """Return a query for versions, with the events that hold their documents."""
    return (
        sa.select(
            schema.models.c.name,
            _versions.number,
            _versions.state,
            _versions.blob_sha256,
            _versions.created_at,
            _ALIASES,
            _versions.tags,
            _versions.description,
            _events.body,
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


# Statements are built once, because SQLAlchemy takes several times as long to build them as to run
# them.
_MODEL = model_id_of(sa.bindparam("name"))
_ALIAS = (
    sa.select(schema.aliases.c.number)
    .where(schema.aliases.c.model_id == _MODEL)
    .where(schema.aliases.c.alias == sa.bindparam("alias"))
    .scalar_subquery()
)
_BY_NUMBER = select_versions(
    _versions.model_id == _MODEL, _versions.number == sa.bindparam("number")
)
_BY_ALIAS = select_versions(_versions.model_id == _MODEL, _versions.number == _ALIAS)
_EXISTS = sa.select(_versions.id).where(
    _versions.model_id == _MODEL, _versions.number == sa.bindparam("number")
)
_LATEST = select_versions(_versions.model_id == _MODEL).order_by(_versions.number.desc()).limit(1)


def find_version(connection: Connection, reference: Reference) -> ModelVersion | None:
    """Return the version that a reference means; None if there is none."""
    query = _BY_NUMBER if reference.alias is None else _BY_ALIAS
    values = {"name": reference.name, "number": reference.number, "alias": reference.alias}
    versions = read_versions(connection, query, values)
    if not versions and reference.alias == LATEST:
        return find_latest(connection, reference.name)
    return versions[0] if versions else None


def find_number(connection: Connection, name: str, alias: str) -> int | None:
    """Return the number of the version that an alias points at; None if it is not set.

    Unlike `find_version`, it does not read the version, whose document may be damaged.
    """
    values = {"name": name, "alias": alias}
    number: int | None = connection.scalar(sa.select(_ALIAS), values)
    if number is None and alias == LATEST:
        query = sa.select(sa.func.max(_versions.number)).where(_versions.model_id == _MODEL)
        number = connection.scalar(query, values)
    return number


def find_latest(connection: Connection, name: str) -> ModelVersion | None:
    """Return the version of a model with the highest number; None if it has no version."""
    versions = read_versions(connection, _LATEST, {"name": name})
    return versions[0] if versions else None


def require_version(connection: Connection, reference: Reference) -> ModelVersion:
    """Return the version that a reference means.

    Raises
    ------
    NotFoundError
    """
    version = find_version(connection, reference)
    if version is None:
        raise NotFoundError(str(reference), _tombstone(connection, reference))
    return version


def require_number(connection: Connection, reference: Reference) -> int:
    """Return the number of the version that a reference means; its document may be damaged.

    Raises
    ------
    NotFoundError
    """
    number = reference.number
    if reference.alias is not None:
        number = find_number(connection, reference.name, reference.alias)
    if (
        number is None
        or connection.scalar(_EXISTS, {"name": reference.name, "number": number}) is None
    ):
        raise NotFoundError(str(reference), _tombstone(connection, reference))
    return number


def _tombstone(connection: Connection, reference: Reference) -> str | None:
    """Return when and why a version was deleted; None if it was not."""
    query = (
        sa.select(_events.at, _events.actor, _events.body)
        .join(schema.models, schema.models.c.id == _events.model_id)
        .where(_events.kind == events.DELETED, _events.number == reference.number)
        # Numbers that were not assigned yet need no search of the history.
        .where(schema.models.c.name == reference.name)
        .where(schema.models.c.next_number > (reference.number or 0))
    )
    row = None if reference.number is None else connection.execute(query).first()
    if row is None:
        return None
    by = f" by {row.actor}" if row.actor else ""
    reason = events.parse_body(row.body).get("reason")
    return f"{reference} was deleted{by} at {to_datetime(row.at):%Y-%m-%d %H:%M:%S} UTC" + (
        f": {reason}." if reason else "."
    )


def read_metric(connection: Connection, model_id: int, metric: str) -> list[MetricValue]:
    """Return a metric of all versions of a model that have it, by number."""
    is_metric = sa.and_(_metrics.c.version_id == _versions.id, _metrics.c.name == metric)
    query = (
        sa.select(_versions.number, _versions.created_at, _metrics.c.value)
        .join(_metrics, is_metric)
        .where(_versions.model_id == model_id)
        .order_by(_versions.number)
    )
    return [
        MetricValue(number, to_datetime(created_at), value)
        for number, created_at, value in connection.execute(query).all()
    ]


def registration_hash(connection: Connection, version: ModelVersion) -> str:
    """Return the hash of the event that registered a version."""
    return str(
        connection.scalar(
            sa.select(_events.hash)
            .join(
                schema.versions,
                sa.and_(_versions.model_id == _events.model_id, _versions.event_seq == _events.seq),
            )
            .where(_versions.model_id == model_id_of(version.name))
            .where(_versions.number == version.number)
        )
    )


def read_versions(
    connection: Connection, query: sa.Select[Any], values: Mapping[str, Any] | None = None
) -> list[ModelVersion]:
    """Run a query made by `select_versions`, with these values of its parameters.

    Raises
    ------
    DamagedHistoryError
    """
    versions = list_versions(connection, query, values)
    for version in versions:
        if version.state == DAMAGED:
            raise DamagedHistoryError(
                f"The record of {version.reference} was edited or lost. Verify the registry to see "
                "what changed, and restore the database from a backup."
            )
    return versions


def list_versions(
    connection: Connection, query: sa.Select[Any], values: Mapping[str, Any] | None = None
) -> list[ModelVersion]:
    """Run a query made by `select_versions`; a record that cannot be read is listed as damaged."""
    return [_to_version(*row) for row in connection.execute(query, values)]


def _to_version(
    name: str,
    number: int,
    state: str,
    sha256: str,
    created_at: int,
    aliases: str | None,
    tags: str | None,
    description: str | None,
    body: str | None,
) -> ModelVersion:
    try:
        document = events.parse_body(body or "")["version"]
        version = to_model_version(name, number, state, aliases, tags, description, document)
    except (KeyError, TypeError, AttributeError, ValueError, OverflowError, DamagedHistoryError):
        version = None
    if version is not None and version.sha256 == sha256:
        return version
    return to_damaged_version(name, number, aliases, sha256, created_at)


def read_page(
    connection: Connection,
    *,
    name: str | None,
    condition: Condition | None,
    order: Order | None,
    limit: int | None,
    after: Reference | None,
) -> list[ModelVersion]:
    """Return the versions that follow a given one in an order.

    A page is located by the sort key of the last version of the previous page, not by an offset:
    the thousandth page costs no more than the first, and versions added meanwhile shift nothing.

    Raises
    ------
    NotFoundError
        If there is no version `after`, or it has no position in the order.
    """
    query = select_versions()
    if name is not None:
        query = query.where(_versions.model_id == model_id_of(name))
    if condition is not None:
        query = query.where(to_sql(condition))
        # PostgreSQL's planner does so by itself.
        if connection.dialect.name == "sqlite":
            rare = rare_versions(connection, condition)
            query = query if rare is None else query.where(rare)
    if order is None:
        query = _newest_first(connection, query, name, after)
    else:
        query = _sorted(connection, query, order, after)
    return list_versions(connection, query.limit(limit))


def _newest_first(
    connection: Connection, query: sa.Select[Any], name: str | None, after: Reference | None
) -> sa.Select[Any]:
    """Sort the versions of one model by number, and those of all models by model and number.

    Rows and times would not do: a version can be imported later, or from a registry whose clock
    was wrong.
    """
    model, number = schema.models.c.name, _versions.number
    if after is not None:
        # Its record may be damaged.
        _sort_key_of(connection, after, [number], order=None)
        is_older = number < after.number
        if name is None:
            is_older = sa.or_(model > after.name, sa.and_(model == after.name, is_older))
        query = query.where(is_older)
    return query.order_by(*([model] if name is None else []), number.desc())


def _sorted(
    connection: Connection, query: sa.Select[Any], order: Order, after: Reference | None
) -> sa.Select[Any]:
    """Sort versions by a field."""
    columns = _sort_columns(order)
    query = _join_metric(query, order)
    if after is not None:
        sort_key = sa.tuple_(*columns)
        last = sa.tuple_(*_sort_key_of(connection, after, columns, order))
        query = query.where(sort_key < last if order.descending else sort_key > last)
    return query.order_by(*(c.desc() if order.descending else c.asc() for c in columns))


def _sort_columns(order: Order) -> list[sa.ColumnElement[Any]]:
    """Return the columns of the sort key, with tie-breakers, in the order of an index."""
    if order.field.attribute == "metrics":
        return [_metrics.c.value, _metrics.c.version_id]
    if order.field.attribute == "created_at":
        return [_versions.created_at, _versions.number, _versions.id]
    return [_versions.number, _versions.id]


def _join_metric(query: sa.Select[Any], order: Order | None) -> sa.Select[Any]:
    """Join the metric that versions are sorted by, if it is one."""
    if order is None or order.field.attribute != "metrics":
        return query
    is_metric = sa.and_(_metrics.c.version_id == _versions.id, _metrics.c.name == order.field.key)
    return query.join(_metrics, is_metric)


def _sort_key_of(
    connection: Connection,
    reference: Reference,
    columns: list[sa.ColumnElement[Any]],
    order: Order | None,
) -> list[sa.BindParameter[Any]]:
    """Return the sort key of a version."""
    query = _join_metric(sa.select(*columns).select_from(schema.versions), order)
    row = connection.execute(
        query.where(
            _versions.model_id == model_id_of(reference.name),
            _versions.number == reference.number,
        )
    ).one_or_none()
    if row is None:
        if order is not None and order.field.attribute == "metrics":
            message = (
                f"There is no {reference} with the metric {order.field.key} to continue after."
            )
            raise NotFoundError(str(reference), message)
        raise NotFoundError(str(reference))
    return [sa.literal(value, column.type) for value, column in zip(row, columns, strict=True)]


def find_alias(connection: Connection, name: str, alias: str) -> Alias | None:
    """Return an alias; None if it is not set."""
    aliases = schema.aliases.c
    row = connection.execute(
        sa.select(aliases.number, aliases.generation, aliases.moved_at, _events.actor)
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
    return Alias(name, alias, number, generation, to_datetime(moved_at), moved_by or None)
