"""A registry's database on a PostgreSQL server."""

import contextlib
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import URL, Connection

from registry.databases.base import Database
from registry.errors import UnsupportedError
from registry.records import Finding

# Keys of advisory locks, which PostgreSQL keeps per database: for migrations, and for writers.
_TABLES = 0x6469_6769
_WRITERS = 0x6469_6770


def _prepare_threshold(url: URL) -> int | None:
    """Return after how many uses a statement is prepared on the server; None for never.

    A pooler such as PgBouncer shares a connection between clients. A statement that one of them
    prepared would answer the questions of the others, so nothing is prepared by default.
    """
    value = url.query.get("prepare_threshold", "None")
    if value == "None":
        return None
    if not (isinstance(value, str) and value.isdecimal()):
        raise UnsupportedError(
            f"registry URL: prepare_threshold: expected a whole number or None, got {value!r}."
        )
    return int(value)


class PostgreSQL(Database):
    """Transactions on a PostgreSQL database.

    Only writers of the same model wait for each other, at the model's row. All writers share an
    advisory lock, which `write_exclusively` takes exclusively.
    """

    def __init__(self, url: URL, *, create: bool) -> None:
        if url.drivername == "postgresql":
            url = url.set(drivername="postgresql+psycopg")
        if url.drivername != "postgresql+psycopg":
            raise UnsupportedError(
                f"registry URL: expected postgresql+psycopg://…, got {url.drivername}://…."
            )
        url = url.update_query_dict({"connect_timeout": "10"} | dict(url.query))
        threshold = _prepare_threshold(url)
        try:
            engine = sa.create_engine(
                url.difference_update_query(["prepare_threshold"]),
                # An idle connection may have been closed by the server, so it is tested before use.
                pool_pre_ping=True,
                connect_args={"prepare_threshold": threshold},
            )
        except (ModuleNotFoundError, exc.ArgumentError):
            raise UnsupportedError(
                "A registry on PostgreSQL needs psycopg: pip install 'digits-pipeline[postgres]'."
            ) from None
        super().__init__(url, engine)
        self._reader = engine.execution_options(isolation_level="REPEATABLE READ")
        self._open(create=create)

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a read-only snapshot transaction."""
        with self._translate_errors(), self._reader.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a write transaction."""
        with self._translate_errors(), self._engine.begin() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock_shared(_WRITERS)))
            self._require_schema(connection)
            yield connection

    @contextlib.contextmanager
    def write_exclusively(self) -> Iterator[Connection]:
        """Open a write transaction that excludes all other writers."""
        with self._translate_errors(), self._engine.begin() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_WRITERS)))
            self._require_schema(connection)
            yield connection

    def take_statistics(self, connection: Connection) -> None:
        """Do nothing: autovacuum updates the statistics."""

    def findings(self) -> Iterator[Finding]:
        """Yield nothing: PostgreSQL checks its own files."""
        return iter(())

    @contextlib.contextmanager
    def _upgrading(self) -> Iterator[Connection]:
        with self._translate_errors(), self._engine.begin() as connection:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_TABLES)))
            # Writers look at the schema once they have this lock.
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_WRITERS)))
            yield connection
