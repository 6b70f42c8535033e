"""A registry's database on a PostgreSQL server."""

import contextlib
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import URL, Connection

from registry.databases.base import Database
from registry.errors import UnsupportedError
from registry.records import Finding

# Names of advisory locks, of this database and no other: who changes the tables, and who writes.
_TABLES = 0x6469_6769
_WRITERS = 0x6469_6770


class PostgreSQL(Database):
    """Transactions on a PostgreSQL database.

    Writers of one model wait for each other at the model's row, and no others do. All of them
    hold a lock in common, which `write_alone` takes for itself.
    """

    def __init__(self, url: URL) -> None:
        if url.drivername == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        if url.drivername != "postgresql+psycopg":
            raise UnsupportedError(
                f"registry URL: expected postgresql+psycopg://…, got {url.drivername}://…."
            )
        url = url.update_query_dict({"connect_timeout": "10"} | dict(url.query))
        try:
            # A connection that was idle may have been closed by now: it is tried before use.
            engine = sa.create_engine(url, pool_pre_ping=True)
        except (ModuleNotFoundError, exc.ArgumentError):
            raise UnsupportedError(
                "A registry on PostgreSQL needs psycopg: pip install 'digits-pipeline[postgres]'."
            ) from None
        super().__init__(url, engine)
        self._reader = engine.execution_options(isolation_level="REPEATABLE READ")
        self._open()

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one moment of the database."""
        with self._translated(), self._reader.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """Give a connection whose changes happen together or not at all."""
        with self._translated(), self._engine.begin() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock_shared(_WRITERS)))
            yield connection

    @contextlib.contextmanager
    def write_alone(self) -> Iterator[Connection]:
        """Give a connection as `write` does, while nobody else writes."""
        with self._translated(), self._engine.begin() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_WRITERS)))
            yield connection

    def take_statistics(self, connection: Connection) -> None:
        """Do nothing: autovacuum does."""

    def findings(self) -> Iterator[Finding]:
        """Say what is wrong with the database itself: PostgreSQL keeps its own checks."""
        return iter(())

    @contextlib.contextmanager
    def _upgrading(self) -> Iterator[Connection]:
        with self._translated(), self._engine.begin() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_TABLES)))
            yield connection
