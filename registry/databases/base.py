"""What every database of a registry does."""

import contextlib
import os
import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import URL, Connection, Engine

from registry import schema
from registry.errors import NewerRegistryError, RegistryError, UnavailableError
from registry.records import Finding


class Database(ABC):
    """Transactions on the tables of a registry.

    Opening reads one row. Only where it is missing, or tells of an earlier schema, anything is
    written: under a lock, and after looking once more.
    """

    def __init__(self, url: URL, engine: Engine) -> None:
        self.url = url
        self._engine = engine
        _open_databases.add(self)

    @abstractmethod
    def read(self) -> contextlib.AbstractContextManager[Connection]:
        """Give a connection that sees one moment of the database."""

    @abstractmethod
    def write(self) -> contextlib.AbstractContextManager[Connection]:
        """Give a connection whose changes happen together or not at all."""

    @abstractmethod
    def write_alone(self) -> contextlib.AbstractContextManager[Connection]:
        """Give a connection as `write` does, while nobody else writes."""

    @abstractmethod
    def take_statistics(self, connection: Connection) -> None:
        """Let the planner of queries know how large the tables are by now."""

    @abstractmethod
    def findings(self) -> Iterator[Finding]:
        """Say what is wrong with the database itself."""

    @abstractmethod
    def _upgrading(self) -> contextlib.AbstractContextManager[Connection]:
        """Give a connection to create tables or change them, while nobody else does."""

    @property
    def place(self) -> str:
        """The address, without a password, wherever it stands."""
        kept = {name: self.url.query[name] for name in ("host", "port") if name in self.url.query}
        return self.url.set(query=kept).render_as_string(hide_password=True)

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def forget_connections(self) -> None:
        """Leave the connections to the process that this one was forked from."""
        self._engine.dispose(close=False)

    def _open(self) -> None:
        try:
            self._read_or_upgrade()
        except BaseException:
            # Nobody gets what could be closed later.
            self.close()
            raise

    def _read_or_upgrade(self) -> None:
        with self.read() as connection:
            found = schema_version(connection)
        if found is None or found < schema.VERSION:
            with self._upgrading() as connection:
                # Another process may have done it while this one waited.
                found = _upgrade(connection)
        if found > schema.VERSION:
            raise NewerRegistryError(found, schema.VERSION)

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except RegistryError:
            raise
        except exc.DBAPIError as error:
            reason = str(error.orig).strip()
            raise UnavailableError(f"The registry {self.place} failed: {reason}.") from error
        except (exc.TimeoutError, OSError) as error:
            raise UnavailableError(f"The registry {self.place} failed: {error}.") from error


_open_databases: "weakref.WeakSet[Database]" = weakref.WeakSet()


def _after_fork() -> None:
    for database in list(_open_databases):
        database.forget_connections()


os.register_at_fork(after_in_child=_after_fork)


def schema_version(connection: Connection) -> int | None:
    """Return the schema of a registry; None where there is none yet."""
    if not sa.inspect(connection).has_table("meta"):
        return None
    return connection.scalar(sa.select(schema.meta.c.schema_version))


def _upgrade(connection: Connection) -> int:
    found = schema_version(connection)
    if found is None:
        schema.metadata.create_all(connection)
        row = {"id": 1, "schema_version": schema.VERSION}
        connection.execute(sa.insert(schema.meta), row)
        return schema.VERSION
    if found < schema.VERSION:
        from registry import migrations

        migrations.upgrade(connection, found)
        return schema.VERSION
    return found
