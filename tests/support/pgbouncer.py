"""PgBouncer in front of a PostgreSQL server: connections are shared between transactions."""

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from postgresql_server import PostgreSQLServer

PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
NOT_INSTALLED = "PgBouncer is not installed (on Debian: apt-get install pgbouncer)"

_PORT = 6432


@contextlib.contextmanager
def pgbouncer(server: PostgreSQLServer, database: str) -> Iterator[str]:
    """Start PgBouncer with one connection to a database; yield the address to use instead."""
    assert PGBOUNCER is not None, NOT_INSTALLED
    directory = Path(tempfile.mkdtemp(prefix="pgb-"))
    (directory / "users.txt").write_text(f'"{server.user}" ""\n')
    (directory / "pgbouncer.ini").write_text(
        f"[databases]\n* = host={server.directory}\n"
        f"[pgbouncer]\nlisten_port = {_PORT}\nunix_socket_dir = {directory}\n"
        f"auth_type = trust\nauth_file = {directory}/users.txt\n"
        f"pool_mode = transaction\ndefault_pool_size = 1\nlogfile = {directory}/log\n"
    )
    is_root = os.getuid() == 0
    if is_root:
        shutil.chown(directory, server.user)
    process = subprocess.Popen(
        [PGBOUNCER, "-q", directory / "pgbouncer.ini"],
        user=server.user if is_root else None,
        cwd=directory,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        socket = directory / f".s.PGSQL.{_PORT}"
        deadline = time.monotonic() + 60
        while not socket.exists():
            assert process.poll() is None, (directory / "log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        yield (
            f"postgresql+psycopg://{server.user}@/{database}"
            f"?host={quote(str(directory))}&port={_PORT}"
        )
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(directory)
