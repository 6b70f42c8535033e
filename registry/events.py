"""The history of a model: a chain of events, each of which holds the hash of the previous one.

Editing or removing an event breaks the chain there. Somebody who can write the whole database
could rebuild the chain from its first event, so it is worth noting the hash of the last event
elsewhere: it covers all events before it.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from registry import messages, schema
from registry.author import Author
from registry.documents import canonical_json
from registry.errors import DamagedHistoryError
from registry.frozen import FrozenDict
from registry.records import CHAMPION, Event
from registry.times import to_datetime

REGISTERED = "registered"
IMPORTED = "imported"
MIGRATED = "migrated"
ALIAS_MOVED = "alias_moved"
ALIAS_ROLLED_BACK = "alias_rolled_back"
ALIAS_REMOVED = "alias_removed"
ARCHIVED = "archived"
RESTORED = "restored"
REFUSED = "refused"
DELETED = "deleted"
TAGGED = "tagged"
DESCRIBED = "described"
MODEL_DESCRIBED = "model_described"
PROTECTED = "protected"
UNPROTECTED = "unprotected"
PROPOSED = "proposed"
APPROVED = "approved"

# The first event of a version is one of these.
VERSION_KINDS = frozenset((REGISTERED, IMPORTED, MIGRATED))
ALIAS_KINDS = frozenset((ALIAS_MOVED, ALIAS_ROLLED_BACK, ALIAS_REMOVED))
PROTECTION_KINDS = frozenset((PROTECTED, UNPROTECTED, PROPOSED, APPROVED))
# Events without a version number: a removed alias points at none, a refused candidate has none.
NUMBERLESS_KINDS = frozenset((ALIAS_REMOVED, REFUSED, MODEL_DESCRIBED, PROTECTED, UNPROTECTED))
KINDS = (
    VERSION_KINDS
    | ALIAS_KINDS
    | PROTECTION_KINDS
    | {ARCHIVED, RESTORED, REFUSED, DELETED, TAGGED, DESCRIBED, MODEL_DESCRIBED}
)


# Microseconds. A clock that is further behind the last event is recorded: either this clock is
# wrong, or that of the last event was.
_SKEW = 60_000_000


class Entry(NamedTuple):
    """An event as the table and an export hold it."""

    seq: int
    at: int
    actor: str
    kind: str
    alias: str | None
    number: int | None
    body: str
    prev_hash: str
    hash: str
    signature: str | None = None
    key_id: str | None = None

    @property
    def unsigned(self) -> tuple[Any, ...]:
        """The fields that every event has, from `seq` to `hash`."""
        return self[:9]

    def expected_hash(self, name: str) -> str:
        """Return the hash of an event of this model with this content."""
        content = canonical_json([name, *self.unsigned[:-1]])
        return hashlib.sha256(content.encode()).hexdigest()

    def event(self, name: str) -> Event:
        """Return the public record of this event.

        Raises
        ------
        DamagedHistoryError
        """
        return Event(
            name=name,
            seq=self.seq,
            at=to_datetime(self.at),
            actor=self.actor or None,
            kind=self.kind,
            alias=self.alias,
            number=self.number,
            details=FrozenDict(parse_body(self.body)),
            hash=self.hash,
            signature=self.signature,
            key_id=self.key_id,
        )


COLUMNS = [schema.events.c[name] for name in Entry._fields]

# Statements are built once, because SQLAlchemy takes longer to build them than to run them.
_models = schema.models.c
_IS_MODEL = _models.id == sa.bindparam("model_id")
_TAKE_SEQ = (
    sa.update(schema.models)
    .where(_IS_MODEL)
    .values(next_event=_models.next_event + 1)
    .returning(_models.name, _models.next_event - 1, _models.head_hash, _models.event_at)
)
_INSERT = sa.insert(schema.events)
_SET_HEAD = (
    sa.update(schema.models)
    .where(_IS_MODEL)
    .values(head_hash=sa.bindparam("head"), event_at=sa.bindparam("last"))
)


def append(
    connection: Connection,
    model_id: int,
    kind: str,
    body: Mapping[str, Any],
    *,
    at: int,
    actor: str,
    number: int | None = None,
    alias: str | None = None,
) -> Entry:
    """Append an event to a model's chain, in the transaction of the change it records.

    The update of the model's row makes the writers of one model wait for each other. If people
    should know of the event, the transaction also writes a message.
    """
    name, seq, prev_hash, last = connection.execute(_TAKE_SEQ, {"model_id": model_id}).one()
    # Clocks differ between machines and can be set back; the order of the chain is what counts.
    if last - at > _SKEW:
        body = {**body, "clock": at}
    at = max(at, last)
    entry = Entry(seq, at, str(actor), kind, alias, number, canonical_json(body), prev_hash, "")
    entry = entry._replace(hash=entry.expected_hash(name))
    if isinstance(actor, Author) and actor.key is not None:
        signature = actor.key.sign(entry.hash)
        entry = entry._replace(signature=signature, key_id=actor.key.key_id)
    connection.execute(_INSERT, {"model_id": model_id, **entry._asdict()})
    connection.execute(_SET_HEAD, {"model_id": model_id, "head": entry.hash, "last": at})
    message_kind = _message_kind(kind, alias)
    if message_kind is not None:
        told = _message_body(name, entry, body)
        messages.write(connection, message_kind, told, key=entry.hash, at=at)
    return entry


def _message_kind(kind: str, alias: str | None) -> str | None:
    """Return the kind of the message about an event; None if nobody has to know."""
    if kind in {ALIAS_MOVED, ALIAS_ROLLED_BACK} and alias != CHAMPION:
        return None
    return {
        ALIAS_MOVED: messages.PROMOTED,
        ALIAS_ROLLED_BACK: messages.ROLLED_BACK,
        REFUSED: messages.REFUSED,
        PROPOSED: messages.PROPOSED,
    }.get(kind)


def _message_body(name: str, entry: Entry, body: Mapping[str, Any]) -> dict[str, Any]:
    candidate = body.get("candidate", {})
    version = None if entry.number is None else f"{name}/{entry.number}"
    previous = None if body.get("from") is None else f"{name}/{body['from']}"
    return {
        "model": name,
        "event": entry.seq,
        "actor": entry.actor or None,
        "alias": entry.alias,
        "version": version,
        "from": candidate.get("parent") or previous,
        "reason": body.get("reason"),
        "run_id": candidate.get("run_id"),
        "failed_checks": [check for check in candidate.get("gate", ()) if not check["passed"]],
    }


def read_chain(
    connection: Connection, model_id: int, *conditions: sa.ColumnElement[bool]
) -> Iterator[Entry]:
    """Yield the events of a model, oldest first."""
    query = (
        sa.select(*COLUMNS)
        .where(schema.events.c.model_id == model_id, *conditions)
        .order_by(schema.events.c.seq)
        .execution_options(yield_per=1000)
    )
    return map(Entry._make, connection.execute(query))


def parse_body(body: str) -> dict[str, Any]:
    """Return the body of an event.

    Raises
    ------
    DamagedHistoryError
    """
    try:
        content = json.loads(body)
    except ValueError:
        content = None
    if not isinstance(content, dict):
        raise DamagedHistoryError(
            "An event of the registry was edited: its body is not a JSON object. Verify the "
            "registry to see which event, and restore the database from a backup."
        )
    return content


def approved_by(entry: Entry) -> str:
    """Return who approved: a database role on PostgreSQL, elsewhere the actor."""
    return str(parse_body(entry.body).get("by"))


def clock_of(body: str) -> int | None:
    """Return the reading of the writer's clock, if it was far behind the last event."""
    if '"clock":' not in body:
        return None
    try:
        clock = parse_body(body).get("clock")
    except DamagedHistoryError:
        return None
    return clock if type(clock) is int else None


def time_jumps(chain: Iterable[Entry], present: int) -> Iterator[str]:
    """Yield where the clocks of the writers of a chain contradict each other, or the present."""
    previous_clock = False
    is_ahead = False
    for entry in chain:
        if entry.at > present + _SKEW and not is_ahead:
            is_ahead = True
            yield (
                f"event {entry.seq} has the time {_shown(entry.at)}, which is in the future: the "
                "clock of its writer was ahead"
            )
        clock = clock_of(entry.body)
        if clock is not None and not previous_clock:
            yield (
                f"event {entry.seq} was written at {_shown(clock)} by the clock of its writer, "
                f"but event {entry.seq - 1} has the time {_shown(entry.at)}"
            )
        previous_clock = clock is not None


def _shown(microseconds: int) -> str:
    try:
        return f"{to_datetime(microseconds):%Y-%m-%d %H:%M:%S} UTC"
    except OverflowError:  # an edited event
        return f"{microseconds} µs"


def chain_problems(name: str, chain: Iterable[Entry], *, head: str, length: int) -> Iterator[str]:
    """Yield what is wrong with a chain that should have this length and this last hash."""
    previous_hash, expected_seq = schema.NO_HASH, 1
    for entry in chain:
        if entry.seq != expected_seq:
            yield f"events {expected_seq} to {entry.seq - 1} are missing"
        elif entry.prev_hash != previous_hash:
            yield f"event {entry.seq} does not follow event {entry.seq - 1}"
        if entry.hash != entry.expected_hash(name):
            yield f"event {entry.seq} was edited"
        if (entry.signature is None) != (entry.key_id is None):
            yield f"event {entry.seq} has either no signature or no key that made it"
        previous_hash, expected_seq = entry.hash, entry.seq + 1
    if expected_seq != length + 1:
        yield f"events {expected_seq} to {length} are missing"
    elif previous_hash != head:
        yield f"event {length} is not the last one that was written"
