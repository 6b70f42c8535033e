"""Versions as they were at a past time, from the history.

The times of a chain never decrease, so the last event at a time is found by bisection. An event of
a clock that was ahead would hide everything after it until that time, because all later events
repeat it. They also hold the reading of their own clock, and that is what counts while the time of
an event is in the future.
"""

from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from registry import events, schema
from registry.frozen import FrozenDict
from registry.queries import find_version
from registry.records import Alias, ModelVersion
from registry.references import LATEST, Reference
from registry.replay import Replay
from registry.times import now, to_datetime

_events = schema.events.c
_models = schema.models.c


def find_version_at(connection: Connection, reference: Reference, at: int) -> ModelVersion | None:
    """Return a version as it was at a time; None if it or the alias did not exist yet."""
    model = _model(connection, reference.name)
    if model is None:
        return None
    last = _last_event(connection, model, at)
    aliases = _aliases(connection, model.id, last)
    number = reference.number
    if reference.alias is not None:
        number = aliases.get(reference.alias)
        if number is None and reference.alias == LATEST:
            number = _latest(connection, model.id, last)
    if number is None or not _is_registered(connection, model.id, number, last):
        return None
    version = find_version(connection, Reference(reference.name, None, number))
    if version is None:
        return None
    chain = events.read_chain(connection, model.id, _events.number == number, _events.seq <= last)
    replay = Replay(chain)
    tags, description = replay.annotations_of(number)
    if tags is None:
        tags = replay.documents[number][1]["tags"]
    return replace(
        version,
        state=replay.state_of(number),
        tags=FrozenDict(tags),
        description=description,
        aliases=tuple(sorted(alias for alias, target in aliases.items() if target == number)),
    )


def find_alias_at(connection: Connection, name: str, alias: str, at: int) -> Alias | None:
    """Return an alias as it was at a time; None if it was not set."""
    model = _model(connection, name)
    if model is None:
        return None
    row = connection.execute(
        sa.select(_events.number, _events.seq, _events.at, _events.actor)
        .where(_events.model_id == model.id, _events.alias == alias)
        .where(_events.seq <= _last_event(connection, model, at))
        .where(_events.kind.in_(events.ALIAS_KINDS))
        .order_by(_events.seq.desc())
        .limit(1)
    ).one_or_none()
    if row is None or row.number is None:
        return None
    return Alias(name, alias, row.number, row.seq, to_datetime(row.at), row.actor or None)


def _model(connection: Connection, name: str) -> sa.Row[tuple[int, int, int]] | None:
    query = sa.select(_models.id, _models.next_event, _models.event_at)
    return connection.execute(query.where(_models.name == name)).one_or_none()


def _last_event(connection: Connection, model: sa.Row[tuple[int, int, int]], at: int) -> int:
    """Return the number of the last event of a model at a time; 0 if there was none yet."""
    newest: int = model.next_event - 1
    present = now()
    if at >= present:
        return newest
    last = _bisect(connection, model.id, newest, at)
    if model.event_at <= present:
        return last
    past = _bisect(connection, model.id, newest, present)
    columns = [_events.seq, _events.body]
    future = sa.select(*columns).where(_events.model_id == model.id, _events.seq > past)
    readings = {
        seq: events.clock_of(body)
        for seq, body in connection.execute(future.where(_events.body.contains('"clock":')))
    }
    return max(
        (seq for seq, clock in readings.items() if clock is not None and clock <= at), default=last
    )


def _bisect(connection: Connection, model_id: int, high: int, at: int) -> int:
    """Return the number of the last event whose time is not after a given one."""
    low = 0
    while low < high:
        middle = (low + high + 1) // 2
        # Events may be missing from a damaged chain.
        row = connection.execute(
            sa.select(_events.seq, _events.at)
            .where(_events.model_id == model_id, _events.seq >= middle, _events.seq <= high)
            .order_by(_events.seq)
            .limit(1)
        ).one_or_none()
        if row is not None and row.at <= at:
            low = row.seq
        else:
            high = middle - 1
    return low


def _aliases(connection: Connection, model_id: int, last: int) -> dict[str, int | None]:
    """Return the numbers that the aliases of a model pointed at after an event."""
    query = (
        sa.select(_events.alias, _events.number)
        .where(_events.model_id == model_id, _events.alias.is_not(None), _events.seq <= last)
        .where(_events.kind.in_(events.ALIAS_KINDS))
        .order_by(_events.seq)
    )
    rows = connection.execute(query)
    return {row.alias: row.number for row in rows}


def _is_registered(connection: Connection, model_id: int, number: int, last: int) -> bool:
    columns = schema.versions.c
    query = sa.select(columns.event_seq).where(
        columns.model_id == model_id, columns.number == number
    )
    seq = connection.scalar(query)
    return seq is not None and seq <= last


def _latest(connection: Connection, model_id: int, last: int) -> int | None:
    """Return the highest number among the versions that are still there, after an event."""
    columns = schema.versions.c
    query = sa.select(sa.func.max(columns.number)).where(
        columns.model_id == model_id, columns.event_seq <= last
    )
    number: int | None = connection.scalar(query)
    return number
