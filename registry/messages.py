"""Messages about what happened, for people: an outbox.

A message is written in the same transaction as the event that it reports: both are committed, or
neither is. Delivery comes later, from any
process. Before an attempt, a process takes the message for a while; if it is killed, another one
takes it after that. So each message reaches each endpoint at least once, and twice only if a
process was killed between sending and noting it. Both copies have the same id.
"""

import hashlib
import json
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Connection

from registry import schema, validation
from registry.databases import Database
from registry.documents import canonical_json
from registry.records import Message
from registry.times import now, to_datetime, to_microseconds

PROMOTED = "model.promoted"
ROLLED_BACK = "model.rolled_back"
REFUSED = "model.refused"
PROPOSED = "model.proposed"
JOB_FAILED = "job.failed"
JOB_CRASHED = "job.crashed"
BATCH_DRIFTED = "batch.drifted"

_messages = schema.messages.c
_deliveries = schema.deliveries.c

_WAITS = _messages.done_at.is_(None)


def message_id(kind: str, key: str) -> str:
    """Return the id of a message, the same whenever the same thing is told."""
    return "msg_" + hashlib.sha256(f"{kind}\n{key}".encode()).hexdigest()[:32]


def write(connection: Connection, kind: str, body: Mapping[str, Any], *, key: str, at: int) -> str:
    """Write a message in the transaction of what it tells, unless it was written; return its id.

    Parameters
    ----------
    key : str
        Identifies what happened, among messages of this kind.
    at : int
        When it happened, in microseconds since 1970.
    """
    row = {"id": message_id(kind, key), "at": at, "kind": kind, "body": canonical_json(body)}
    connection.execute(_insert_if_absent(schema.messages, connection), row)
    return str(row["id"])


def _insert_if_absent(table: sa.Table, connection: Connection) -> sa.Executable:
    if connection.dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(table).on_conflict_do_nothing()
    return sqlite.insert(table).on_conflict_do_nothing()


class Messages:
    """The messages of a registry, and their deliveries.

    An endpoint is a text that identifies a receiver without telling its address.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(self, kind: str, body: Mapping[str, Any], *, key: str) -> Message:
        """Write a message about something that is no event of a model; return it.

        Writing it again with the same key changes nothing.
        """
        validation.text("kind", kind, 64, least=1)
        with self._database.write() as connection:
            written = write(connection, kind, body, key=key, at=now())
            query = sa.select(schema.messages).where(_messages.id == written)
            return _to_message(connection.execute(query).one(), ())

    def waiting(self) -> list[Message]:
        """Return the messages that some endpoint may not have yet, oldest first, with errors."""
        with self._database.read() as connection:
            rows = connection.execute(
                sa.select(schema.messages).where(_WAITS).order_by(_messages.at, _messages.id)
            ).all()
            failed = connection.execute(
                sa.select(_deliveries.message_id, _deliveries.error)
                .join(schema.messages, _messages.id == _deliveries.message_id)
                .where(_WAITS, _deliveries.delivered_at.is_(None))
                .where(_deliveries.error.is_not(None))
            ).all()
        return [
            _to_message(row, tuple(error for written, error in failed if written == row.id))
            for row in rows
        ]

    def was_written(self, kind: str, key: str) -> bool:
        """Tell whether a message was written, and is not removed yet."""
        query = sa.select(_messages.id).where(_messages.id == message_id(kind, key))
        with self._database.read() as connection:
            return connection.scalar(query) is not None

    def read(self, *, limit: int | None = None) -> list[Message]:
        """Return messages, the newest first."""
        validation.count("limit", limit)
        query = sa.select(schema.messages).order_by(_messages.at.desc(), _messages.id.desc())
        with self._database.read() as connection:
            return [_to_message(row, ()) for row in connection.execute(query.limit(limit))]

    def take(
        self, endpoint: str, *, lease: timedelta, limit: int | None = None
    ) -> list[tuple[Message, int]]:
        """Take the messages that are due at an endpoint, oldest first; no other process gets them.

        Parameters
        ----------
        endpoint : str
        lease : timedelta
            How long they are taken for. Then another process may take those that were not noted as
            delivered.
        limit : int, optional

        Returns
        -------
        list of (Message, int)
            With the number of attempts, including the one that is to be made.
        """
        moment = now()
        query = (
            sa.select(schema.messages, _deliveries.attempts)
            .outerjoin(
                schema.deliveries,
                sa.and_(_deliveries.message_id == _messages.id, _deliveries.endpoint == endpoint),
            )
            .where(_WAITS, _deliveries.delivered_at.is_(None))
            .where(sa.or_(_deliveries.next_at.is_(None), _deliveries.next_at <= moment))
            .order_by(_messages.at, _messages.id)
            .limit(limit)
        )
        # A look costs no write lock, and mostly nothing is due.
        with self._database.read() as connection:
            if connection.execute(query).first() is None:
                return []
        until = moment + lease // timedelta(microseconds=1)
        taken = []
        with self._database.write_exclusively() as connection:
            for row in connection.execute(query).all():
                attempts = (row.attempts or 0) + 1
                values = {"attempts": attempts, "next_at": until}
                self._set(connection, row.id, endpoint, values)
                taken.append((_to_message(row, ()), attempts))
        return taken

    def note_delivered(self, written: str, endpoint: str) -> None:
        """Note that an endpoint has a message."""
        with self._database.write() as connection:
            self._set(connection, written, endpoint, {"delivered_at": now(), "error": None})

    def note_failed(self, written: str, endpoint: str, error: str, retry_at: datetime) -> None:
        """Note why an attempt failed, without addresses, and when the next one may be made."""
        text = validation.text("error", error[: schema.TEXT_LIMIT])
        values = {"error": text, "next_at": to_microseconds(retry_at)}
        with self._database.write() as connection:
            self._set(connection, written, endpoint, values)

    def close_delivered(self, endpoints: Collection[str]) -> None:
        """End the messages that all these endpoints have."""
        delivered = (
            sa.select(_deliveries.message_id)
            .where(_deliveries.endpoint.in_(endpoints), _deliveries.delivered_at.is_not(None))
            .group_by(_deliveries.message_id)
            .having(sa.func.count() >= len(set(endpoints)))
        )
        query = sa.select(_messages.id).where(_WAITS, _messages.id.in_(delivered))
        with self._database.read() as connection:
            if connection.execute(query.limit(1)).first() is None:
                return
        with self._database.write() as connection:
            connection.execute(
                sa.update(schema.messages)
                .where(_WAITS, _messages.id.in_(delivered))
                .values(done_at=now())
            )

    def remove_old(self, *, waiting: timedelta, done: timedelta) -> int:
        """Give up messages that have waited this long, and remove those that are done this long.

        Returns
        -------
        int
            Number of messages that were given up.
        """
        moment = now()
        second = timedelta(microseconds=1)
        is_late = sa.and_(_WAITS, _messages.at < moment - waiting // second)
        is_old = _messages.done_at < moment - done // second
        query = sa.select(_messages.id).where(sa.or_(is_late, is_old)).limit(1)
        with self._database.read() as connection:
            if connection.execute(query).first() is None:
                return 0
        with self._database.write() as connection:
            late = sa.update(schema.messages).where(is_late).values(done_at=moment)
            given_up = connection.execute(late).rowcount
            old = sa.select(_messages.id).where(is_old)
            connection.execute(sa.delete(schema.deliveries).where(_deliveries.message_id.in_(old)))
            connection.execute(sa.delete(schema.messages).where(is_old))
        return given_up

    def _set(
        self, connection: Connection, written: str, endpoint: str, values: Mapping[str, Any]
    ) -> None:
        key = {"message_id": written, "endpoint": endpoint}
        row = {**key, "attempts": 0, "next_at": 0}
        connection.execute(_insert_if_absent(schema.deliveries, connection), row)
        where = sa.and_(_deliveries.message_id == written, _deliveries.endpoint == endpoint)
        connection.execute(sa.update(schema.deliveries).where(where).values(values))


def _to_message(row: Any, errors: tuple[str, ...]) -> Message:
    return Message(
        id=row.id,
        at=to_datetime(row.at),
        kind=row.kind,
        body=json.loads(row.body),
        done_at=None if row.done_at is None else to_datetime(row.done_at),
        errors=errors,
    )
