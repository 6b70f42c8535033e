"""A registry's SQLite database: how it is opened, read and written."""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.engine import URL, Connection, make_url

from registry import schema
from registry.errors import NewerRegistryError, UnavailableError, UnsupportedError

# Milliseconds a connection waits for another's transaction.
_BUSY_TIMEOUT = 30_000


class Database:
    """Transactions on a SQLite file, created when it is first opened.

    A writer takes the lock of ``<file>.lock`` and then begins with IMMEDIATE. IMMEDIATE takes
    SQLite's own write lock up front, since a transaction that starts by reading cannot be
    promoted once another has written ("database is locked", at once, whatever the time-out).
    The lock before it is fair, which SQLite's sleeping and retrying is not: it keeps the waits
    of many writers short.
    """

    def __init__(self, url: str) -> None:
        self.url = _sqlite_url(url)
        self._path = Path(str(self.url.database))
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UnavailableError(
                f"The registry cannot be created at {self._path} ({error.strerror})."
            ) from None
        self._engine = sa.create_engine(self.url)
        event.listen(self._engine, "connect", _configure)
        event.listen(self._engine, "begin", _begin)
        self._writer = self._engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")
        self._open()

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one moment of the database."""
        with self._translated(), self._engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection whose changes happen together or not at all."""
        with self._translated(), self._locked(), self._writer.begin() as connection:
            yield connection

    def _open(self) -> None:
        with self.read() as connection:
            found = _schema_version(connection)
        if found is None:
            with self.write() as connection:
                # Another process may have created it while this one waited for the lock.
                found = _schema_version(connection)
                if found is None:
                    schema.metadata.create_all(connection)
                    row = {"id": 1, "schema_version": schema.VERSION}
                    connection.execute(sa.insert(schema.meta), row)
                    found = schema.VERSION
        if found > schema.VERSION:
            raise NewerRegistryError(found, schema.VERSION)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with open(f"{self._path}.lock", "a") as handle:  # noqa: PTH123 - a suffix on a name
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except exc.DatabaseError as error:
            raise UnavailableError(f"The registry {self._path} failed: {error.orig}.") from error
        except OSError as error:
            raise UnavailableError(
                f"The registry {self._path} failed: {error.strerror}."
            ) from error


def _sqlite_url(text: str) -> URL:
    try:
        url = make_url(text)
    except exc.ArgumentError:
        raise UnsupportedError(f"registry URL: expected sqlite:///PATH, got {text!r}.") from None
    is_file = url.database not in {None, "", ":memory:"} and not url.query
    if url.get_backend_name() != "sqlite" or not is_file:
        shown = url.render_as_string(hide_password=True)
        raise UnsupportedError(
            f"registry URL: expected a SQLite file, sqlite:///PATH, got {shown!r}."
        )
    return url


def _configure(connection: Any, _record: Any) -> None:
    # Python's sqlite3 is kept from beginning transactions of its own: `_begin` does.
    connection.isolation_level = None
    # The time-out first: the change to WAL is the first thing that may have to wait.
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT}")
    connection.execute("PRAGMA journal_mode = WAL")
    # NORMAL can lose an acknowledged commit on power loss, and a number would be given twice.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA trusted_schema = OFF")


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))


def _schema_version(connection: Connection) -> int | None:
    if not sa.inspect(connection).has_table("meta"):
        return None
    return connection.scalar(sa.select(schema.meta.c.schema_version))
