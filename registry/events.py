"""The history of a model: a chain of events, each of which holds the hash of the one before.

Whoever edits an event, or takes one away, breaks the chain there. Whoever can write the whole
database could build another chain from the first event on, so the hash of the last event is
worth noting elsewhere: it stands for all that came before.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from registry import records, schema
from registry.details import Document, canonical
from registry.errors import DamagedHistoryError
from registry.records import Event, moment

REGISTERED = "registered"
IMPORTED = "imported"
MIGRATED = "migrated"
ALIAS_MOVED = "alias_moved"
ALIAS_ROLLED_BACK = "alias_rolled_back"
ALIAS_REMOVED = "alias_removed"
ARCHIVED = "archived"
RESTORED = "restored"
REFUSED = "refused"

# Those that a version begins with.
VERSION_KINDS = frozenset((REGISTERED, IMPORTED, MIGRATED))
ALIAS_KINDS = frozenset((ALIAS_MOVED, ALIAS_ROLLED_BACK, ALIAS_REMOVED))
# Those that are about no version: of the first there is none, of the second there never was.
NUMBERLESS_KINDS = frozenset((ALIAS_REMOVED, REFUSED))
KINDS = VERSION_KINDS | ALIAS_KINDS | {ARCHIVED, RESTORED, REFUSED}


class Entry(NamedTuple):
    """An event as its table and an export hold it."""

    seq: int
    at: int
    actor: str
    kind: str
    alias: str | None
    number: int | None
    body: str
    prev_hash: str
    hash: str

    def expected_hash(self, name: str) -> str:
        """Return the hash that an event of this model with these contents has."""
        contents = canonical([name, *self[:-1]])
        return hashlib.sha256(contents.encode()).hexdigest()

    def event(self, name: str) -> Event:
        """Return the record of this event."""
        return Event(
            name=name,
            seq=self.seq,
            at=moment(self.at),
            actor=self.actor or None,
            kind=self.kind,
            alias=self.alias,
            number=self.number,
            details=MappingProxyType(read_body(self.body)),
            hash=self.hash,
        )


class Replay:
    """What the events of a model come to, from the first to the last.

    Attributes
    ----------
    documents : dict of int to (int, dict)
        Of each version, by number: the event that registered it, and what it said.
    archived : set of int
    aliases : dict of str to Entry
        The event that moved each alias to where it is.
    unreadable : list of int
        Events that do not say what was registered.
    """

    def __init__(self, chain: Iterable[Entry]) -> None:
        self.documents: dict[int, tuple[int, Document]] = {}
        self.archived: set[int] = set()
        self.aliases: dict[str, Entry] = {}
        self.unreadable: list[int] = []
        for entry in chain:
            if entry.kind in VERSION_KINDS:
                self._add_version(entry)
            elif entry.kind == ARCHIVED and entry.number is not None:
                self.archived.add(entry.number)
            elif entry.kind == RESTORED and entry.number is not None:
                self.archived.discard(entry.number)
            elif entry.kind == ALIAS_REMOVED and entry.alias is not None:
                self.aliases.pop(entry.alias, None)
            elif entry.alias is not None:
                self.aliases[entry.alias] = entry

    def state_of(self, number: int) -> str:
        """Return the state of a version."""
        return records.ARCHIVED if number in self.archived else records.READY

    def _add_version(self, entry: Entry) -> None:
        try:
            document = read_body(entry.body).get("version")
        except DamagedHistoryError:
            document = None
        if entry.number is None or not isinstance(document, dict):
            self.unreadable.append(entry.seq)
        else:
            self.documents[entry.number] = (entry.seq, document)


COLUMNS = [schema.events.c[name] for name in Entry._fields]

# Put together once, for that takes SQLAlchemy longer than to run them.
_models = schema.models.c
_IS_MODEL = _models.id == sa.bindparam("model_id")
_NEXT = (
    sa.update(schema.models)
    .where(_IS_MODEL)
    .values(next_event=_models.next_event + 1)
    .returning(_models.name, _models.next_event - 1, _models.event_head, _models.event_at)
)
_INSERT = sa.insert(schema.events)
_END = (
    sa.update(schema.models)
    .where(_IS_MODEL)
    .values(event_head=sa.bindparam("head"), event_at=sa.bindparam("last"))
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
    """Add an event at the end of a model's chain, in the transaction of what it tells.

    The update of the model's row makes the writers of one model wait for each other.
    """
    name, seq, prev_hash, last = connection.execute(_NEXT, {"model_id": model_id}).one()
    # Clocks differ between machines, and are set back; the order of events is that of the chain.
    at = max(at, last)
    entry = Entry(seq, at, actor, kind, alias, number, canonical(body), prev_hash, "")
    entry = entry._replace(hash=entry.expected_hash(name))
    connection.execute(_INSERT, {"model_id": model_id, **entry._asdict()})
    connection.execute(_END, {"model_id": model_id, "head": entry.hash, "last": at})
    return entry


def entries(
    connection: Connection, model_id: int, *conditions: sa.ColumnElement[bool]
) -> Iterator[Entry]:
    """Yield the events of a model from the first to the last."""
    query = (
        sa.select(*COLUMNS)
        .where(schema.events.c.model_id == model_id, *conditions)
        .order_by(schema.events.c.seq)
        .execution_options(yield_per=1000)
    )
    return map(Entry._make, connection.execute(query))


def read_body(body: str) -> dict[str, Any]:
    """Return the body of an event.

    Raises
    ------
    DamagedHistoryError
    """
    try:
        found = json.loads(body)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise DamagedHistoryError(
            "An event of the registry was edited: its body is not what was written. "
            "`digits verify` says which; restore the database from a backup."
        )
    return found


def broken(name: str, chain: Iterable[Entry], *, head: str, length: int) -> Iterator[str]:
    """Say what is wrong with a chain, if anything is."""
    previous, expected = schema.NO_HASH, 1
    for found in chain:
        if found.seq != expected:
            yield f"events {expected} to {found.seq - 1} are missing"
        elif found.prev_hash != previous:
            yield f"event {found.seq} does not follow event {found.seq - 1}"
        if found.hash != found.expected_hash(name):
            yield f"event {found.seq} was edited"
        previous, expected = found.hash, found.seq + 1
    if expected != length + 1:
        yield f"events {expected} to {length} are missing"
    elif previous != head:
        yield f"event {length} is not the one that was last written"
