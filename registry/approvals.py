"""Four eyes: protected aliases move only after somebody else has approved.

A version is proposed for the alias, and others approve it. The approval that completes the number
moves the alias, in the same transaction. A move makes all other proposals for the alias void. The
caller holds the lock of the model.
"""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from registry import aliases, events, protection, schema
from registry.errors import ApprovalError, InvalidArgumentError, NotFoundError
from registry.events import Entry
from registry.records import CHAMPION, ModelVersion, Proposal
from registry.references import Reference
from registry.replay import Replay
from registry.times import now, to_datetime

_protected = schema.protected_aliases.c


def protect(
    connection: Connection, model_id: int, alias: str, approvals: int, *, actor: str
) -> None:
    """Protect an alias, or change the number of approvals that its moves need."""
    current = protection.required_approvals(connection, model_id, alias)
    if current == approvals:
        return
    body = {"approvals": approvals}
    events.append(connection, model_id, events.PROTECTED, body, at=now(), actor=actor, alias=alias)
    if current:
        where = sa.and_(_protected.model_id == model_id, _protected.alias == alias)
        connection.execute(
            sa.update(schema.protected_aliases).where(where).values(approvals=approvals)
        )
    else:
        row = {"model_id": model_id, "alias": alias, "approvals": approvals}
        connection.execute(sa.insert(schema.protected_aliases).values(row))


def unprotect(connection: Connection, model_id: int, reference: str, *, actor: str) -> None:
    """Remove the protection of an alias, and its proposals.

    Raises
    ------
    NotFoundError
        If it is not protected.
    """
    alias = reference.partition("@")[2]
    _require_protected(connection, model_id, reference)
    events.append(connection, model_id, events.UNPROTECTED, {}, at=now(), actor=actor, alias=alias)
    protection.clear_approvals(connection, model_id, alias)
    where = sa.and_(_protected.model_id == model_id, _protected.alias == alias)
    connection.execute(sa.delete(schema.protected_aliases).where(where))


def propose(
    connection: Connection,
    model_id: int,
    version: ModelVersion,
    alias: str,
    *,
    force: bool,
    reason: str | None,
    actor: str,
) -> Proposal:
    """Propose a version for a protected alias, unless it is proposed already.

    Raises
    ------
    NotFoundError
        If the alias is not protected.
    InvalidArgumentError
        If the actor has no name.
    ArchivedError, GateError
    """
    needed = _require_protected(connection, model_id, f"{version.name}@{alias}")
    _require_name(actor)
    aliases.require_ready(version, alias, needs_gate=alias == CHAMPION and not force)
    replay = _replay(connection, model_id, alias)
    if (alias, version.number) not in replay.proposals:
        body = {"forced": force}
        replay.proposals[alias, version.number] = _append(
            connection, model_id, events.PROPOSED, version, alias, body, reason, actor
        )
    return _proposal(replay, version.name, alias, version.number, needed)


def approve(
    connection: Connection,
    model_id: int,
    version: ModelVersion,
    alias: str,
    *,
    reason: str | None,
    actor: str,
) -> Proposal:
    """Approve a proposed version, and move the alias if that was the last approval needed.

    Raises
    ------
    NotFoundError
        If the alias is not protected, or the version is not proposed for it.
    InvalidArgumentError
        If the actor has no name.
    ApprovalError
        If the actor proposed it, or approved it already.
    ProtectedAliasError
        If the database role may not approve.
    ArchivedError, GateError
    """
    reference = f"{version.name}@{alias}"
    needed = _require_protected(connection, model_id, reference)
    _require_name(actor)
    replay = _replay(connection, model_id, alias)
    proposal = replay.proposals.get((alias, version.number))
    if proposal is None:
        text = f"{version.reference} is not proposed for {reference}."
        raise NotFoundError(version.reference, text)
    by = protection.approver(connection, actor)
    earlier = replay.approvals.get((alias, version.number), [])
    if actor == proposal.actor:
        raise ApprovalError(f"{actor} proposed {version.reference}, so somebody else approves it.")
    if actor in {entry.actor for entry in earlier} or by in map(events.approved_by, earlier):
        raise ApprovalError(f"{by} approved {version.reference} already; somebody else is needed.")
    force = events.parse_body(proposal.body).get("forced") is True
    aliases.require_ready(version, alias, needs_gate=alias == CHAMPION and not force)
    entry = _append(
        connection, model_id, events.APPROVED, version, alias, {"by": by}, reason, actor
    )
    replay.approvals[alias, version.number] = [*earlier, entry]
    protection.insert_approval(
        connection, model_id, alias, version.number, actor=by, at=entry.at, reason=reason
    )
    if len(earlier) + 1 >= needed:
        aliases.move_approved(connection, model_id, version, alias, actor=actor)
    return _proposal(replay, version.name, alias, version.number, needed)


def _append(
    connection: Connection,
    model_id: int,
    kind: str,
    version: ModelVersion,
    alias: str,
    body: Mapping[str, Any],
    reason: str | None,
    actor: str,
) -> Entry:
    """Append an event about a version that is to get a protected alias."""
    return events.append(
        connection,
        model_id,
        kind,
        {**body, "reason": reason} if reason else body,
        at=now(),
        actor=actor,
        number=version.number,
        alias=alias,
    )


def read_proposals(connection: Connection, model_id: int, name: str) -> list[Proposal]:
    """Return the open proposals for the aliases of a model, oldest first."""
    query = sa.select(_protected.alias, _protected.approvals).where(_protected.model_id == model_id)
    proposals = []
    for alias, needed in connection.execute(query).all():
        replay = _replay(connection, model_id, alias)
        proposals += [
            _proposal(replay, name, alias, number, needed) for _, number in replay.proposals
        ]
    return sorted(proposals, key=lambda proposal: proposal.proposed_at)


def _replay(connection: Connection, model_id: int, alias: str) -> Replay:
    """Return the state of one alias."""
    return Replay(events.read_chain(connection, model_id, schema.events.c.alias == alias))


def _proposal(replay: Replay, name: str, alias: str, number: int, needed: int) -> Proposal:
    entry = replay.proposals[alias, number]
    approvals = replay.approvals.get((alias, number), [])
    return Proposal(
        version=str(Reference(name, None, number)),
        alias=alias,
        proposed_by=entry.actor,
        proposed_at=to_datetime(entry.at),
        reason=events.parse_body(entry.body).get("reason"),
        approved_by=tuple(approval.actor for approval in approvals),
        approvals_needed=needed,
    )


def _require_protected(connection: Connection, model_id: int, reference: str) -> int:
    needed = protection.required_approvals(connection, model_id, reference.partition("@")[2])
    if not needed:
        raise NotFoundError(reference, f"{reference} is not protected.")
    return needed


def _require_name(actor: str) -> None:
    if not actor:
        raise InvalidArgumentError("actor", "the name of the person", actor)
