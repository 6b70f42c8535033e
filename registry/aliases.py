"""Moving aliases. The caller holds the lock of the model."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from registry import events, schema
from registry.errors import AliasMovedError, ArchivedError, GateError, NotFoundError
from registry.queries import find_alias
from registry.records import ARCHIVED, CHAMPION, Alias, ModelVersion
from registry.times import now

_events = schema.events.c


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
    """Point an alias at a version.

    Raises
    ------
    AliasMovedError
        If its generation is not the expected one.
    ArchivedError
    GateError
    """
    current = find_alias(connection, version.name, alias)
    _require_expected(f"{version.name}@{alias}", expected, current)
    _require_ready(version, alias, needs_gate=needs_gate)
    entry = events.append(
        connection,
        model_id,
        kind,
        {
            "from": current.number if current else None,
            "forced": alias == CHAMPION and not version.gate_passed,
            **({"reason": reason} if reason else {}),
        },
        at=now(),
        actor=actor,
        number=version.number,
        alias=alias,
    )
    target = {"number": version.number, "generation": entry.seq, "moved_at": entry.at}
    if current:
        connection.execute(sa.update(schema.aliases).where(_is(model_id, alias)).values(target))
    else:
        row = {"model_id": model_id, "alias": alias, **target}
        connection.execute(sa.insert(schema.aliases).values(row))


def _require_expected(alias: str, expected: int | None, current: Alias | None) -> None:
    generation = current.generation if current else 0
    if expected is None or expected == generation:
        return
    if current is None:
        raise AliasMovedError(alias, expected)
    raise AliasMovedError(
        alias,
        expected,
        number=current.number,
        generation=generation,
        moved_by=current.moved_by,
        moved_at=current.moved_at,
    )


def _require_ready(version: ModelVersion, alias: str, *, needs_gate: bool) -> None:
    if version.state == ARCHIVED:
        raise ArchivedError(
            f"{version.reference} is archived. Restore it before {alias} can point at it."
        )
    if needs_gate and not version.gate_passed:
        failed = "; ".join(str(check) for check in version.gate if not check.passed)
        reason = f"its gate refused it ({failed})" if failed else "no gate is recorded for it"
        raise GateError(version.reference, alias, reason)


def delete(connection: Connection, model_id: int, reference: str, *, actor: str) -> None:
    """Delete an alias.

    Raises
    ------
    NotFoundError
    """
    name, _, alias = reference.partition("@")
    current = find_alias(connection, name, alias)
    if current is None:
        raise NotFoundError(reference)
    events.append(
        connection,
        model_id,
        events.ALIAS_REMOVED,
        {"from": current.number},
        at=now(),
        actor=actor,
        alias=alias,
    )
    connection.execute(sa.delete(schema.aliases).where(_is(model_id, alias)))


def previous_number(connection: Connection, model_id: int, reference: str) -> int:
    """Return the number of the version that an alias pointed at before.

    Rollbacks work like undo: a rollback takes the last move back, so a second one goes back to
    the version before that.

    Raises
    ------
    NotFoundError
        If there is no previous version.
    """
    alias = reference.partition("@")[2]
    path: list[int | None] = []
    query = (
        sa.select(_events.kind, _events.number)
        .where(_events.model_id == model_id, _events.alias == alias)
        .order_by(_events.seq)
    )
    for kind, number in connection.execute(query):
        if kind == events.ALIAS_ROLLED_BACK:
            path = _undo(path)
        else:
            path.append(number)
    path = _undo(path)
    if not path or path[-1] is None:
        raise NotFoundError(reference, f"{reference} has no previous version.")
    return path[-1]


def _undo(path: list[int | None]) -> list[int | None]:
    """Return the path of an alias up to the last version that differs from the current one."""
    current = path[-1] if path else None
    path = path[:-1]
    while path and (path[-1] is None or path[-1] == current):
        path = path[:-1]
    return path


def _is(model_id: int, alias: str) -> sa.ColumnElement[bool]:
    return sa.and_(schema.aliases.c.model_id == model_id, schema.aliases.c.alias == alias)
