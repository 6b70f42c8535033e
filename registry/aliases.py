"""Moving aliases. The caller holds the lock of the model."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from registry import events, schema
from registry.errors import AliasMovedError, ArchivedError, GateError, NotFoundError
from registry.queries import find_alias, model_id_of
from registry.records import ARCHIVED, CHAMPION, ModelVersion, now

_events = schema.events.c


def number_at(connection: Connection, name: str, alias: str, at: int) -> int | None:
    """Return where an alias pointed at a moment; None where it was not set."""
    return connection.scalar(
        sa.select(_events.number)
        .where(_events.model_id == model_id_of(name), _events.alias == alias, _events.at <= at)
        .order_by(_events.seq.desc())
        .limit(1)
    )


def move(
    connection: Connection,
    model_id: int,
    version: ModelVersion,
    alias: str,
    *,
    kind: str,
    expected: int | None,
    needs_gate: bool,
    reason: str | None = None,
    actor: str,
) -> None:
    """Point an alias at a version, if it is where it is expected to be."""
    found = find_alias(connection, version.name, alias)
    if expected is not None and expected != (found.generation if found else 0):
        raise AliasMovedError(f"{version.name}@{alias}", expected, found)
    if version.state == ARCHIVED:
        raise ArchivedError(
            f"{version.reference} is archived. Restore it before it becomes {alias}."
        )
    if needs_gate and not version.gate_passed:
        failed = "; ".join(str(check) for check in version.gate if not check.passed)
        why = f"its gate refused it ({failed})" if failed else "no gate is recorded for it"
        raise GateError(version.reference, alias, why)
    entry = events.append(
        connection,
        model_id,
        kind,
        {
            "from": found.number if found else None,
            "forced": alias == CHAMPION and not version.gate_passed,
            **({"reason": reason} if reason else {}),
        },
        at=now(),
        actor=actor,
        number=version.number,
        alias=alias,
    )
    place = {"number": version.number, "generation": entry.seq, "updated_at": entry.at}
    if found:
        connection.execute(sa.update(schema.aliases).where(*_is(model_id, alias)).values(place))
    else:
        connection.execute(
            sa.insert(schema.aliases).values(model_id=model_id, alias=alias, **place)
        )


def remove(connection: Connection, model_id: int, reference: str, *, actor: str) -> None:
    """Take an alias away; a later one of the same name is another."""
    name, _, alias = reference.partition("@")
    found = find_alias(connection, name, alias)
    if found is None:
        raise NotFoundError(reference, "So there is nothing to remove.")
    events.append(
        connection,
        model_id,
        events.ALIAS_REMOVED,
        {"from": found.number},
        at=now(),
        actor=actor,
        alias=alias,
    )
    connection.execute(sa.delete(schema.aliases).where(*_is(model_id, alias)))


def before(connection: Connection, model_id: int, reference: str) -> int:
    """Return the version that an alias pointed at before.

    A rollback takes the last move back, so what was before a rollback is what was before the
    move.
    """
    alias = reference.partition("@")[2]
    been: list[int | None] = []
    query = (
        sa.select(_events.kind, _events.number)
        .where(_events.model_id == model_id, _events.alias == alias)
        .order_by(_events.seq)
    )
    for kind, number in connection.execute(query):
        if kind == events.ALIAS_ROLLED_BACK:
            been = taken_back(been)
        else:
            been.append(number)
    back = taken_back(been)
    if not back or back[-1] is None:
        raise NotFoundError(f"earlier {reference}", "So there is nothing to go back to.")
    return back[-1]


def taken_back(been: list[int | None]) -> list[int | None]:
    """Return where an alias has been, up to the last other version it pointed at."""
    last = been[-1] if been else None
    been = been[:-1]
    while been and (been[-1] is None or been[-1] == last):
        been = been[:-1]
    return been


def _is(model_id: int, alias: str) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return schema.aliases.c.model_id == model_id, schema.aliases.c.alias == alias
