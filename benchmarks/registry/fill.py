"""Filling a registry of any size in bulk with the rows that `Registry.register` would write.

Half of the versions are in one model; the others are spread evenly over a hundred models. Every
version has an event, a blob (but no file), two metrics, a parameter and a tag. Every model has a
champion, its last version.
"""

import contextlib
import hashlib
import random
import sqlite3
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa

from registry import Registry, documents, events, schema
from registry.records import READY

LARGE = "mnist"
OTHERS = 100
TEAMS = ("ocr", "post", "bank", "lab")

_SIZE = 407_080
_START = 1_700_000_000_000_000
_BATCH = 10_000

Rows = dict[sa.Table, list[tuple[Any, ...]]]


def model_of(index: int) -> str:
    """Return the model of the version with this index, counted from 0."""
    return LARGE if index % 2 == 0 else f"other-{index // 2 % OTHERS}"


def fill(url: str, blobs: str, versions: int) -> None:
    """Create a registry with this many versions."""
    Registry(url, blobs).close()
    parsed = sa.make_url(url)
    batches = _batches(versions)
    if parsed.get_backend_name() == "sqlite":
        _fill_sqlite(str(parsed.database), batches)
    else:
        _fill_postgresql(parsed, batches)


class _Chain:
    """A model and the end of its chain of events."""

    def __init__(self, model_id: int, name: str) -> None:
        self.model_id = model_id
        self.name = name
        self.versions = 0
        self.seq = 0
        self.head = schema.NO_HASH
        self.at = _START

    def append(self, kind: str, body: dict[str, Any], alias: str | None = None) -> tuple[Any, ...]:
        """Return the row of the next event, which is about the last version."""
        self.seq += 1
        number = self.versions
        text = documents.canonical_json(body)
        entry = events.Entry(self.seq, self.at, "", kind, alias, number, text, self.head, "")
        self.head = entry.expected_hash(self.name)
        row = {"model_id": self.model_id, **entry._replace(hash=self.head)._asdict()}
        return tuple(row.get(column.name) for column in schema.events.columns)

    def row(self) -> tuple[Any, ...]:
        """Return the row of the model."""
        return (
            *(self.model_id, self.name, self.versions + 1, _START),
            *(self.seq + 1, self.head, self.at, None),
        )


def _batches(versions: int) -> Iterator[Rows]:
    """Yield batches of rows, with values in the order of their table's columns."""
    rng = random.Random(0)
    chains: dict[str, _Chain] = {}
    rows: Rows = defaultdict(list)
    for index in range(versions):
        name = model_of(index)
        chain = chains.setdefault(name, _Chain(len(chains) + 1, name))
        _add_version(rows, chain, index, rng)
        if (index + 1) % _BATCH == 0:
            yield rows
            rows = defaultdict(list)
    for chain in chains.values():
        moved = chain.append(events.ALIAS_MOVED, {"from": None, "forced": True}, "champion")
        rows[schema.events].append(moved)
        alias = (chain.model_id, "champion", chain.versions, chain.seq, chain.at)
        rows[schema.aliases].append(alias)
        rows[schema.models].append(chain.row())
    yield rows


def _add_version(rows: Rows, chain: _Chain, index: int, rng: random.Random) -> None:
    version_id = index + 1
    chain.versions += 1
    chain.at = _START + index * 1_000_000
    document = {
        "metrics": {"accuracy": rng.uniform(0.9, 1.0), "loss": rng.uniform(0.01, 0.4)},
        "params": {"seed": index},
        "tags": {"team": rng.choice(TEAMS)},
        "inputs": {},
        "environment": {},
        "gate": [],
        "parent": None,
        "code_version": None,
        "run_id": f"run-{index}",
        "idempotency_key": None,
        "sha256": hashlib.sha256(b"%d" % index).hexdigest(),
        "size": _SIZE,
        "created_at": chain.at,
        "created_by": None,
    }
    rows[schema.events].append(chain.append(events.REGISTERED, {"version": document}))
    rows[schema.blobs].append((document["sha256"], _SIZE, chain.at))
    version = {
        "id": version_id,
        "model_id": chain.model_id,
        "number": chain.versions,
        "state": READY,
        "blob_sha256": document["sha256"],
        "event_seq": chain.seq,
        "gate": documents.gate_status(document),
        **{name: document[name] for name in documents.COLUMNS},
    }
    rows[schema.versions].append(tuple(version.get(c.name) for c in schema.versions.columns))
    for table, details in documents.detail_rows(document, version_id).items():
        rows[table] += [tuple(row.values()) for row in details]


def _fill_sqlite(path: str, batches: Iterator[Rows]) -> None:
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        # Opening the registry changes it back to WAL.
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        # Building an index at the end is much faster than inserting into it row by row.
        indexes = connection.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        ).fetchall()
        for name, _ in indexes:
            connection.execute(f"DROP INDEX {name}")
        connection.execute("BEGIN")
        for rows in batches:
            for table, values in rows.items():
                marks = ", ".join("?" * len(table.columns))
                connection.executemany(f"INSERT INTO {table.name} VALUES ({marks})", values)
        for _, statement in indexes:
            connection.execute(statement)
        # `Registry.register` does so whenever the number of versions has doubled.
        connection.execute("PRAGMA analysis_limit = 400")
        connection.execute("ANALYZE")
        connection.execute("COMMIT")


def _fill_postgresql(url: sa.URL, batches: Iterator[Rows]) -> None:
    import psycopg

    plain = url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain) as connection, connection.cursor() as cursor:
        all_rows: Rows = defaultdict(list)
        for rows in batches:
            for table, values in rows.items():
                all_rows[table] += values
        # Tables are sorted by their foreign keys.
        for table in schema.metadata.sorted_tables:
            names = ", ".join(c.name for c in table.columns)
            with cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as copy:
                for row in all_rows[table]:
                    copy.write_row(row)
        # Explicit ids do not advance the sequences.
        for table in (schema.models, schema.versions):
            cursor.execute(
                f"SELECT setval(pg_get_serial_sequence('{table.name}', 'id'), "
                f"(SELECT max(id) FROM {table.name}))"
            )
        # Autovacuum would do so within a minute of so many new rows.
        cursor.execute("ANALYZE")
