"""A registry's database in a SQLite file."""

import contextlib
import fcntl
import functools
import logging
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, Connection

from registry import schema
from registry.databases.base import Database, schema_version
from registry.durability import atomic_write
from registry.errors import UnavailableError, UnsupportedError, without_secrets
from registry.records import Finding

_log = logging.getLogger(__name__)

# Milliseconds that a connection waits for the transaction of another one.
_BUSY_TIMEOUT = 30_000

# File systems on which locks and shared memory do not work between machines.
_NETWORKS = frozenset(
    ("afs", "ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "lustre", "nfs", "nfs4", "smb3")
)

# A flipped bit can make a text invalid UTF-8. `verify` must report it instead of failing.
_TEXT = functools.partial(str, encoding="utf-8", errors="backslashreplace")

# First and last release with the WAL-reset bug.
_RESET_BUG = ((3, 7, 0), (3, 51, 2))


class SQLite(Database):
    """Transactions on a SQLite file, created when it is first opened.

    A writer locks ``<file>.lock`` and then begins with IMMEDIATE, which takes SQLite's write lock
    at once. A transaction that starts by reading could not be promoted after another one has
    written: it would fail with "database is locked", whatever the time-out. The lock file is fair,
    unlike SQLite's sleeping and retrying, so the waits of many writers stay short.
    """

    def __init__(self, url: URL) -> None:
        is_file = url.database not in {None, "", ":memory:"} and not url.query and not url.host
        if url.get_backend_name() != "sqlite" or not is_file:
            shown = without_secrets(url.render_as_string()) + ("?…" if url.query else "")
            raise UnsupportedError(
                "registry URL: expected a SQLite file, sqlite:///PATH, or "
                f"postgresql+psycopg://USER@HOST/DATABASE, got {shown!r}."
            )
        self._path = Path(str(url.database))
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise UnavailableError(
                f"The registry cannot be created at {self._path} ({error.strerror})."
            ) from None
        _refuse_network(self._path.parent)
        super().__init__(url, sa.create_engine(url))
        event.listen(self._engine, "connect", _configure)
        event.listen(self._engine, "begin", _begin)
        self._writer = self._engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")
        self._open()

    @property
    def address(self) -> str:
        """The path of the file."""
        return str(self._path)

    @contextlib.contextmanager
    def read(self) -> Iterator[Connection]:
        """Open a read-only snapshot transaction."""
        with self._translate_errors(), self._engine.begin() as connection:
            yield connection

    @contextlib.contextmanager
    def write(self) -> Iterator[Connection]:
        """Open a write transaction."""
        with self._translate_errors(), self._locked(), self._writer.begin() as connection:
            yield connection

    # SQLite allows only one writer at a time.
    write_exclusively = write

    def take_statistics(self, connection: Connection) -> None:
        """Update the statistics of the query planner from a sample of each index."""
        # Without statistics all indexes look equally good, and finding one run reads a whole
        # model. SQLite never runs ANALYZE by itself.
        connection.exec_driver_sql("PRAGMA analysis_limit = 400")
        connection.exec_driver_sql("ANALYZE")

    def findings(self) -> Iterator[Finding]:
        """Yield the problems that SQLite itself finds in the file."""
        with self.read() as connection:
            for (line,) in connection.exec_driver_sql("PRAGMA integrity_check"):
                if line != "ok":
                    yield Finding("error", "database", line)
            for row in connection.exec_driver_sql("PRAGMA foreign_key_check"):
                text = f"row {row[1]} of {row[0]} refers to a missing row of {row[2]}"
                yield Finding("error", "database", text)
        first, last = _RESET_BUG
        if first <= sqlite3.sqlite_version_info <= last:
            text = (
                f"SQLite {sqlite3.sqlite_version} has a bug: very rarely, a checkpoint damages a "
                "database that several processes write. Use SQLite 3.51.3 or later"
            )
            yield Finding("warning", "database", text)

    @contextlib.contextmanager
    def _upgrading(self) -> Iterator[Connection]:
        with self._translate_errors(), self._locked():
            self._back_up()
            with self._writer.begin() as connection:
                yield connection

    def _back_up(self) -> None:
        """Back up a registry of an earlier schema before it is migrated."""
        with self._engine.connect() as connection:
            version = schema_version(connection)
        if version is None or version >= schema.VERSION:
            return
        backup = self._path.with_name(f"{self._path.name}.schema-{version}")
        for path in backup.parent.iterdir():
            # Left by a migration that was killed.
            if path.name.startswith(f".{backup.name}."):
                path.unlink()
        with (
            atomic_write(backup) as temporary,
            self._engine.connect().execution_options(
                isolation_level="AUTOCOMMIT", sqlite_begin=""
            ) as connection,
        ):
            connection.exec_driver_sql("VACUUM INTO ?", (str(temporary),))
        _log.warning("The registry is migrated to a new schema. A backup is kept in %s.", backup)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        with open(f"{self._path}.lock", "a") as handle:  # noqa: PTH123 - a suffix on a name
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def _refuse_network(directory: Path) -> None:
    kind = _file_system(directory)
    if kind in _NETWORKS:
        raise UnsupportedError(
            f"{directory} is on a network file system ({kind}), where SQLite cannot keep "
            "machines from overwriting each other. Use a local disk, or PostgreSQL."
        )


def _file_system(directory: Path) -> str | None:
    """Return the type of a directory's file system; None if it is unknown (not on Linux)."""
    device = os.stat(directory).st_dev  # noqa: PTH116 - the number that mountinfo lists
    wanted = f"{os.major(device)}:{os.minor(device)}"
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            fields = line.split()
            if fields[2] == wanted:
                return fields[fields.index("-") + 1]
    return None


def _configure(connection: Any, _record: Any) -> None:
    # Python's sqlite3 must not begin transactions by itself: `_begin` does.
    connection.isolation_level = None
    connection.text_factory = _TEXT
    # The time-out comes first, because the change to WAL may already have to wait.
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT}")
    _change_to_wal(connection)
    # NORMAL can lose a committed transaction on power loss, so a number would be assigned twice.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    # As PostgreSQL does.
    connection.execute("PRAGMA case_sensitive_like = ON")


def _change_to_wal(connection: Any) -> None:
    """Change a new file to WAL mode.

    If several connections do so at the same time, SQLite ignores the time-out and refuses all but
    one at once.
    """
    deadline = time.monotonic() + _BUSY_TIMEOUT / 1000
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            busy = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY
            if not busy or time.monotonic() > deadline:
                raise
        time.sleep(0.01)


def _begin(connection: Connection) -> None:
    statement = connection.get_execution_options().get("sqlite_begin", "BEGIN")
    if statement:
        connection.exec_driver_sql(statement)
