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
from registry.durability import sync
from registry.errors import UnavailableError, UnsupportedError, without_secrets
from registry.records import Finding

_log = logging.getLogger(__name__)

# Milliseconds a connection waits for another's transaction.
_BUSY_TIMEOUT = 30_000

# File systems on which locks and shared memory do not reach from one machine to the next.
_NETWORKS = frozenset(
    ("afs", "ceph", "cifs", "fuse.glusterfs", "fuse.sshfs", "lustre", "nfs", "nfs4", "smb3")
)

# A bit flipped in the file can leave what is no text: `verify` is to say where, not to fail there.
_TEXT = functools.partial(str, encoding="utf-8", errors="backslashreplace")

_RESET_BUG = ((3, 7, 0), (3, 51, 2))


class SQLite(Database):
    """Transactions on a SQLite file, created when it is first opened.

    A writer takes the lock of ``<file>.lock`` and then begins with IMMEDIATE. IMMEDIATE takes
    SQLite's own write lock up front, since a transaction that starts by reading cannot be
    promoted once another has written ("database is locked", at once, whatever the time-out).
    The lock before it is fair, which SQLite's sleeping and retrying is not: it keeps the waits
    of many writers short.
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
    def place(self) -> str:
        """The path of the file."""
        return str(self._path)

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

    # SQLite has one writer at a time anyway.
    write_alone = write

    def take_statistics(self, connection: Connection) -> None:
        """Let the planner know how large the tables are, from a sample of each index."""
        # Without, it takes every index for as good as any other, and reads a whole model to find
        # one run. SQLite never does this by itself.
        connection.exec_driver_sql("PRAGMA analysis_limit = 400")
        connection.exec_driver_sql("ANALYZE")

    def findings(self) -> Iterator[Finding]:
        """Say what SQLite itself finds wrong with the file."""
        with self.read() as connection:
            for (line,) in connection.exec_driver_sql("PRAGMA integrity_check"):
                if line != "ok":
                    yield Finding("error", "database", line)
            for row in connection.exec_driver_sql("PRAGMA foreign_key_check"):
                text = f"row {row[1]} of {row[0]} refers to a row of {row[2]} that is not there"
                yield Finding("error", "database", text)
        first, last = _RESET_BUG
        if first <= sqlite3.sqlite_version_info <= last:
            text = (
                f"SQLite {sqlite3.sqlite_version} has a bug by which a checkpoint can, very "
                "rarely, damage a database that several processes write; 3.51.3 mends it"
            )
            yield Finding("warning", "database", text)

    @contextlib.contextmanager
    def _upgrading(self) -> Iterator[Connection]:
        with self._translated(), self._locked():
            self._back_up()
            with self._writer.begin() as connection:
                yield connection

    def _back_up(self) -> None:
        """Keep a copy of a registry of an earlier schema, before it is changed."""
        with self._engine.connect() as connection:
            found = schema_version(connection)
        if found is None or found >= schema.VERSION:
            return
        backup = self._path.with_name(f"{self._path.name}.schema-{found}")
        temporary = backup.with_name(f"{backup.name}.tmp")
        temporary.unlink(missing_ok=True)
        with self._engine.connect().execution_options(
            isolation_level="AUTOCOMMIT", sqlite_begin=""
        ) as connection:
            connection.exec_driver_sql("VACUUM INTO ?", (str(temporary),))
        sync(temporary)
        temporary.replace(backup)
        sync(backup.parent)
        _log.warning("The registry as it was before its tables change is kept in %s.", backup)

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
    """Return the kind of file system a directory is on, where Linux tells."""
    device = os.stat(directory).st_dev  # noqa: PTH116 - as it says in mountinfo
    wanted = f"{os.major(device)}:{os.minor(device)}"
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            fields = line.split()
            if fields[2] == wanted:
                return fields[fields.index("-") + 1]
    return None


def _configure(connection: Any, _record: Any) -> None:
    # Python's sqlite3 is kept from beginning transactions of its own: `_begin` does.
    connection.isolation_level = None
    connection.text_factory = _TEXT
    # The time-out first: the change to WAL is the first thing that may have to wait.
    connection.execute(f"PRAGMA busy_timeout = {_BUSY_TIMEOUT}")
    _change_to_wal(connection)
    # NORMAL can lose an acknowledged commit on power loss, and a number would be given twice.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA trusted_schema = OFF")
    # As in PostgreSQL.
    connection.execute("PRAGMA case_sensitive_like = ON")


def _change_to_wal(connection: Any) -> None:
    """Change a new file to WAL; where it is so already, nothing is changed.

    Of several that change it, SQLite refuses all but one at once, whatever the time-out.
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
