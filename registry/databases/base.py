"""The interface of databases, and opening one."""

import contextlib
import functools
import os
import sqlite3
import uuid
import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import URL, Connection, Engine

from registry import schema
from registry.errors import (
    NewerRegistryError,
    NoRegistryError,
    RegistryError,
    UnavailableError,
    UnsupportedError,
)
from registry.records import Finding


class Database(ABC):
    """Transactions on the tables of a registry.

    Opening reads one row, the schema version. Tables are created or migrated only if it is missing
    or older: under a lock, and after reading it again.
    """

    def __init__(self, url: URL, engine: Engine) -> None:
        self.url = url
        self._engine = engine
        _open_databases.add(self)

    @abstractmethod
    def read(self) -> contextlib.AbstractContextManager[Connection]:
        """Open a read-only snapshot transaction."""

    @abstractmethod
    def write(self) -> contextlib.AbstractContextManager[Connection]:
        """Open a write transaction."""

    @abstractmethod
    def write_exclusively(self) -> contextlib.AbstractContextManager[Connection]:
        """Open a write transaction that excludes all other writers."""

    @abstractmethod
    def take_statistics(self, connection: Connection) -> None:
        """Update the statistics of the query planner."""

    @abstractmethod
    def back_up(self, file: Path) -> None:
        """Write a consistent copy of the database to a file."""

    @abstractmethod
    def findings(self) -> Iterator[Finding]:
        """Yield the problems of the database itself."""

    @abstractmethod
    def _has_table(self, connection: Connection, name: str) -> bool:
        """Tell whether a table with a name of ours exists."""

    @abstractmethod
    def _upgrading(self) -> contextlib.AbstractContextManager[Connection]:
        """Open a transaction that excludes others who create or migrate tables."""

    @property
    def address(self) -> str:
        """The address without passwords, which may also be in the query."""
        safe = {name: self.url.query[name] for name in ("host", "port") if name in self.url.query}
        return self.url.set(query=safe).render_as_string(hide_password=True)

    @functools.cached_property
    def registry_id(self) -> str:
        """The id of the registry, which its blob stores know."""
        with self.read() as connection:
            return str(connection.scalar(sa.select(schema.meta.c.registry_id)))

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    def forget_connections(self) -> None:
        """Forget the connections of the parent process after a fork, without closing them."""
        self._engine.dispose(close=False)

    def _open(self, *, create: bool) -> None:
        try:
            self._read_or_upgrade(create=create)
        except BaseException:
            # The caller gets no object that could be closed later.
            self.close()
            raise

    def _read_or_upgrade(self, *, create: bool) -> None:
        with self.read() as connection:
            version = self._schema_version(connection)
        if version is None and not create:
            raise NoRegistryError(self.address)
        if version is None or version < schema.VERSION:
            with self._upgrading() as connection:
                # Another process may have upgraded it while this one waited.
                version = self._upgrade(connection)
        if version > schema.VERSION:
            raise NewerRegistryError(version, schema.VERSION)

    def _schema_version(self, connection: Connection) -> int | None:
        """Return the schema version of the registry; None if it has no tables yet.

        Raises
        ------
        UnsupportedError
            If a table has the name of ours, but belongs to another program.
        """
        if not self._has_table(connection, "meta"):
            return None
        try:
            return connection.scalar(_SCHEMA_VERSION)
        except exc.DBAPIError as error:
            if "schema_version" not in str(error.orig):
                raise
        raise self._is_of_another_program(["meta"])

    def _upgrade(self, connection: Connection) -> int:
        version = self._schema_version(connection)
        if version is None:
            self._require_no_tables(connection)
            schema.metadata.create_all(connection, checkfirst=False)
            row = {"id": 1, "schema_version": schema.VERSION, "registry_id": str(uuid.uuid4())}
            connection.execute(sa.insert(schema.meta), row)
            return schema.VERSION
        if version < schema.VERSION:
            from registry import migrations

            migrations.upgrade(connection, version)
            return schema.VERSION
        return version

    def _require_no_tables(self, connection: Connection) -> None:
        taken = [name for name in schema.metadata.tables if self._has_table(connection, name)]
        if taken:
            raise self._is_of_another_program(taken)

    def _is_of_another_program(self, tables: list[str]) -> UnsupportedError:
        return UnsupportedError(
            f"{self.address} has tables of another program with the names of a registry's: "
            f"{', '.join(sorted(tables))}. Nothing was changed. Use a database of its own."
        )

    def _require_schema(self, connection: Connection) -> None:
        """Raise an error if a newer release has migrated the registry since it was opened."""
        version = connection.scalars(_SCHEMA_VERSION).one()
        if version != schema.VERSION:
            raise NewerRegistryError(version, schema.VERSION)

    @contextlib.contextmanager
    def _translate_errors(self) -> Iterator[None]:
        try:
            yield
        except RegistryError:
            raise
        except exc.DBAPIError as error:
            reason = str(error.orig).strip()
            raise UnavailableError(f"The registry {self.address} failed: {reason}.") from error
        except (exc.TimeoutError, OSError, sqlite3.Error) as error:
            # SQLite's own errors are of the few statements that do not go through SQLAlchemy.
            raise UnavailableError(f"The registry {self.address} failed: {error}.") from error


# Built once, because SQLAlchemy takes longer to build it than to run it.
_SCHEMA_VERSION = sa.select(schema.meta.c.schema_version)

_open_databases: "weakref.WeakSet[Database]" = weakref.WeakSet()


def _after_fork() -> None:
    for database in list(_open_databases):
        database.forget_connections()


os.register_at_fork(after_in_child=_after_fork)
