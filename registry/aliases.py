"""Moving aliases. The caller holds the lock of the model."""

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from registry import events, schema
from registry.errors import (
    AliasMovedError,
    ArchivedError,
    GateError,
    NotFoundError,
    ProtectedAliasError,
)
from registry.protection import move_protected, required_approvals
from registry.queries import find_alias
from registry.records import ARCHIVED, CHAMPION, Alias, ModelVersion
from registry.times import now

_events = schema.events.c


def require_generation(
    connection: Connection, reference: str, expected: int | None
) -> Alias | None:
    """Return an alias, None if it is not set; its generation is the expected one, or 0.

    Raises
    ------
    AliasMovedError
    """
    name, _, alias = reference.partition("@")
    current = find_alias(connection, name, alias)
    if expected is None or expected == (current.generation if current else 0):
        return current
    if current is None:
        raise AliasMovedError(reference, expected)
    raise AliasMovedError(
        reference,
        expected,
        number=current.number,
        generation=current.generation,
        moved_by=current.moved_by,
        moved_at=current.moved_at,
    )


def rollback_number(connection: Connection, model_id: int, reference: str, to: int | None) -> int:
    """Return the number of the version that a rollback of an alias goes back to.

    Raises
    ------
    NotFoundError
        If the alias has no previous version, or never pointed at `to`.
    """
    alias = reference.partition("@")[2]
    if to is not None:
        if to in earlier_numbers(connection, model_id, alias):
            return to
        raise NotFoundError(reference, f"{reference} did not point at version {to} before.")
    number = previous_number(connection, model_id, alias)
    if number is None:
        raise NotFoundError(reference, f"{reference} has no previous version.")
    return number


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
    current = require_generation(connection, f"{version.name}@{alias}", expected)
    require_ready(version, alias, needs_gate=needs_gate)
    _require_unprotected(connection, model_id, f"{version.name}@{alias}")
    entry = _append_move(
        connection, model_id, version, alias, current, kind=kind, reason=reason, actor=actor
    )
    target = {"number": version.number, "generation": entry.seq, "moved_at": entry.at}
    if current:
        connection.execute(sa.update(schema.aliases).where(_is(model_id, alias)).values(target))
    else:
        row = {"model_id": model_id, "alias": alias, **target}
        connection.execute(sa.insert(schema.aliases).values(row))


def move_approved(
    connection: Connection, model_id: int, version: ModelVersion, alias: str, *, actor: str
) -> None:
    """Point a protected alias at a version that was approved.

    Raises
    ------
    ProtectedAliasError
        If the database role may not do that.
    """
    current = find_alias(connection, version.name, alias)
    entry = _append_move(
        connection, model_id, version, alias, current, kind=events.ALIAS_MOVED, actor=actor
    )
    move_protected(
        connection,
        model_id,
        alias,
        number=version.number,
        generation=entry.seq,
        moved_at=entry.at,
    )


def _append_move(
    connection: Connection,
    model_id: int,
    version: ModelVersion,
    alias: str,
    current: Alias | None,
    *,
    kind: str,
    reason: str | None = None,
    actor: str,
) -> events.Entry:
    return events.append(
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


def _require_unprotected(connection: Connection, model_id: int, reference: str) -> None:
    needed = required_approvals(connection, model_id, reference.partition("@")[2])
    if needed:
        raise ProtectedAliasError(
            f"{reference} is protected: propose a version, and it moves after {needed} "
            f"{'approval' if needed == 1 else 'approvals'} by others."
        )


def require_ready(version: ModelVersion, alias: str, *, needs_gate: bool) -> None:
    """Check that an alias can point at a version.

    Raises
    ------
    ArchivedError
    GateError
    """
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
    _require_unprotected(connection, model_id, reference)
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


def previous_number(connection: Connection, model_id: int, alias: str) -> int | None:
    """Return the number of the version that an alias pointed at before; None if there is none.

    Rollbacks work like undo: a rollback takes the last move back, so a second one goes back to
    the version before that. Versions that were deleted are skipped.
    """
    earlier = earlier_numbers(connection, model_id, alias)
    # Usually the first of them is there, whatever the length of the history.
    return next((n for n in earlier if _exists(connection, model_id, n)), None)


def earlier_numbers(connection: Connection, model_id: int, alias: str) -> list[int]:
    """Return the numbers of the versions that rollbacks of an alias go back to, in this order."""
    path: list[int | None] = []
    query = (
        sa.select(_events.kind, _events.number)
        .where(_events.model_id == model_id, _events.alias == alias)
        .where(_events.kind.in_(events.ALIAS_KINDS))
        .order_by(_events.seq)
    )
    for kind, number in connection.execute(query):
        if kind == events.ALIAS_ROLLED_BACK:
            # Its last stay there before the current one.
            del path[_last_index(path[:-1], number) + 1 :]
        else:
            path.append(number)
    current = path[-1] if path else None
    return list(dict.fromkeys(n for n in reversed(path) if n is not None and n != current))


def _last_index(path: list[int | None], number: int) -> int:
    return max((index for index, earlier in enumerate(path) if earlier == number), default=-1)


def _exists(connection: Connection, model_id: int, number: int) -> bool:
    columns = schema.versions.c
    query = sa.select(columns.id).where(columns.model_id == model_id, columns.number == number)
    return connection.scalar(query) is not None


def _is(model_id: int, alias: str) -> sa.ColumnElement[bool]:
    return sa.and_(schema.aliases.c.model_id == model_id, schema.aliases.c.alias == alias)
