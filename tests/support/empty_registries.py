"""Empty registries from a template: creating the tables takes longer than most tests."""

import functools
import sqlite3
import tempfile
import uuid
from pathlib import Path

from postgresql_server import PostgreSQLServer, schema_of

from registry import Registry


def create_empty(path: Path) -> None:
    """Create the file that opening a registry on SQLite would create."""
    path.write_bytes(_template())
    connection = sqlite3.connect(path)
    # Blob stores know registries by it.
    connection.execute("UPDATE meta SET registry_id = ?", (str(uuid.uuid4()),))
    connection.commit()
    connection.close()


@functools.cache
def _template() -> bytes:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "registry.db")
        Registry(f"sqlite:///{path}", str(Path(directory, "blobs"))).close()
        return path.read_bytes()


def create_empty_on_postgresql(server: PostgreSQLServer, url: str) -> None:
    """Create in an empty schema what opening a registry there would create."""
    statements = _statements(server).replace("{schema}", schema_of(url))
    change = f"UPDATE {schema_of(url)}.meta SET registry_id = '{uuid.uuid4()}'"
    server.execute(f"{statements};{change}")


@functools.cache
def _statements(server: PostgreSQLServer) -> str:
    url = server.new_schema()
    with tempfile.TemporaryDirectory() as directory:
        Registry(url, str(Path(directory, "blobs"))).close()
    return server.dump(url)
