"""The tables of a registry. Times are microseconds since 1970, UTC.

The document of a version is stored in the event that registered it. The tables of details repeat
it in columns that can be searched.
"""

from sqlalchemy import (
    DDL,
    BigInteger,
    CheckConstraint,
    Column,
    Float,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    event,
    func,
)

VERSION = 4

TEXT_LIMIT = 2000

# A name and the indexed part of a value fit together into one entry of a PostgreSQL index (about
# 2.7 kB) at four bytes a character.
NAME_LIMIT = 250
INDEXED = 250

# The previous hash of a model's first event.
NO_HASH = "0" * 64

metadata = MetaData()


def _text(name: str, *, limit: int = TEXT_LIMIT, nullable: bool = False) -> Column[str]:
    return Column(name, String(limit), nullable=nullable)


# SQLite ignores the length of a VARCHAR, but not a CHECK.
def _length(column: str, limit: int = TEXT_LIMIT) -> CheckConstraint:
    return CheckConstraint(f"length({column}) <= {limit}", name=f"{column}_length")


def _texts(table: str, *more: Column[float]) -> Table:
    """Return a table of a version's named texts."""
    value = _text("value")
    return Table(
        table,
        metadata,
        Column("version_id", ForeignKey("versions.id"), primary_key=True),
        Column("name", String(TEXT_LIMIT), primary_key=True),
        value,
        *more,
        _length("name"),
        _length("value"),
        # Finds versions by a value without reading the table.
        Index(f"{table}_by_value", "name", func.substr(value, 1, INDEXED), "version_id"),
    )


meta = Table(
    "meta",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1"), primary_key=True),
    Column("schema_version", Integer, nullable=False),
    # The id that this registry leaves in every blob store that it uses.
    Column("registry_id", String(36)),
)

models = Table(
    "models",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    # Incremented by UPDATE … RETURNING, so that no number is ever assigned twice.
    Column("next_number", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    # The end of the chain of events: number of the next one; hash and time of the last one.
    Column("next_event", Integer, nullable=False, server_default="1"),
    Column("head_hash", String(64), nullable=False, server_default=NO_HASH),
    Column("event_at", BigInteger, nullable=False, server_default="0"),
    Column("description", Text),
    _length("name", 64),
)

# A row without a version is of a deleted version, whose file is still to be removed.
blobs = Table(
    "blobs",
    metadata,
    Column("sha256", String(64), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    CheckConstraint("length(sha256) = 64", name="sha256_length"),
)

versions = Table(
    "versions",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("model_id", ForeignKey("models.id"), nullable=False),
    Column("number", Integer, nullable=False),
    _text("state", limit=32),
    Column("blob_sha256", ForeignKey("blobs.sha256"), nullable=False, index=True),
    _text("run_id", nullable=True),
    _text("idempotency_key", nullable=True),
    Column("created_at", BigInteger, nullable=False),
    # The event that registered it and holds its document.
    Column("event_seq", Integer),
    _text("parent", nullable=True),
    _text("code_version", nullable=True),
    _text("created_by", nullable=True),
    # "passed", "failed", or NULL if no gate was recorded.
    Column("gate", String(8)),
    Column("description", Text),
    # The tags as JSON if they were changed after the registration, otherwise NULL.
    Column("tags", Text),
    UniqueConstraint("model_id", "number"),
    UniqueConstraint("model_id", "idempotency_key"),
    Index("versions_by_state", "model_id", "state", "number"),
    Index("versions_by_time", "model_id", "created_at", "number"),
    Index("versions_by_run", "run_id"),
    _length("state", 32),
    _length("run_id"),
    _length("idempotency_key"),
)

aliases = Table(
    "aliases",
    metadata,
    Column("model_id", Integer, primary_key=True),
    Column("alias", String(63), primary_key=True),
    Column("number", Integer, nullable=False),
    # The event of its last move. It is never reused, not even after a removal.
    Column("generation", Integer, nullable=False),
    Column("moved_at", BigInteger, nullable=False),
    # An alias can point only at a version that exists.
    ForeignKeyConstraint(["model_id", "number"], ["versions.model_id", "versions.number"]),
    Index("aliases_by_number", "model_id", "number"),
    _length("alias", 63),
)

version_metrics = Table(
    "version_metrics",
    metadata,
    Column("version_id", ForeignKey("versions.id"), primary_key=True),
    Column("name", String(TEXT_LIMIT), primary_key=True),
    Column("value", Float, nullable=False),
    _length("name"),
    Index("version_metrics_by_value", "name", "value", "version_id"),
)

# Values are JSON, so that 32 and "32" differ. Numbers are repeated as floats.
version_params = _texts("version_params", Column("number", Float))

version_tags = _texts("version_tags")

version_environment = _texts("version_environment")

version_inputs = Table(
    "version_inputs",
    metadata,
    Column("version_id", ForeignKey("versions.id"), primary_key=True),
    Column("role", String(TEXT_LIMIT), primary_key=True),
    _text("sha256", limit=64),
    _length("role"),
    Index("version_inputs_by_value", "role", "sha256", "version_id"),
)

events = Table(
    "events",
    metadata,
    Column("model_id", ForeignKey("models.id"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("at", BigInteger, nullable=False),
    _text("actor"),
    _text("kind", limit=32),
    Column("alias", String(63)),
    Column("number", Integer),
    Column("body", Text, nullable=False),
    Column("prev_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    # Ed25519 signature of the hash, and the id of its key, both in hexadecimal.
    Column("signature", String(128)),
    Column("key_id", String(64)),
    Index("events_by_alias", "model_id", "alias", "seq"),
)

# Aliases that move only after so many people other than the proposer have approved.
protected_aliases = Table(
    "protected_aliases",
    metadata,
    Column("model_id", ForeignKey("models.id"), primary_key=True),
    Column("alias", String(63), primary_key=True),
    Column("approvals", Integer, nullable=False),
    _length("alias", 63),
)

approvals = Table(
    "approvals",
    metadata,
    Column("model_id", Integer, primary_key=True),
    Column("alias", String(63), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("actor", String(NAME_LIMIT), primary_key=True),
    Column("at", BigInteger, nullable=False),
    _text("reason", nullable=True),
    ForeignKeyConstraint(["model_id", "number"], ["versions.model_id", "versions.number"]),
    _length("alias", 63),
    _length("actor", NAME_LIMIT),
    _length("reason"),
)

# What happened and somebody should know: an outbox. A row is written in the transaction of what it
# tells, and sent later. `endpoint` is a digest, because addresses hold passwords.
messages = Table(
    "messages",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("at", BigInteger, nullable=False),
    _text("kind", limit=64),
    Column("body", Text, nullable=False),
    # When every endpoint had it, or it was given up; NULL before.
    Column("done_at", BigInteger),
    Index("messages_by_done", "done_at", "at"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("message_id", ForeignKey("messages.id"), primary_key=True),
    Column("endpoint", String(64), primary_key=True),
    Column("attempts", Integer, nullable=False),
    # The next attempt; while one is made, the time at which another process may make it.
    Column("next_at", BigInteger, nullable=False),
    Column("delivered_at", BigInteger),
    _text("error", nullable=True),
    _length("error"),
)

# The last runs of each job. A run that was killed has no end.
job_runs = Table(
    "job_runs",
    metadata,
    Column("id", Integer, primary_key=True),
    _text("job", limit=64),
    _text("host", limit=NAME_LIMIT),
    # Identifies the process on its host, also after its number was given to another one.
    _text("process", limit=NAME_LIMIT),
    _text("run_id", nullable=True),
    Column("started_at", BigInteger, nullable=False),
    Column("ended_at", BigInteger),
    Column("outcome", String(32)),
    _text("message", nullable=True),
    Index("job_runs_by_outcome", "job", "outcome", "ended_at"),
    _length("message"),
)

# Scored batches. The document is the record as JSON, and labels those that people agreed on since.
batches = Table(
    "batches",
    metadata,
    Column("id", Integer, primary_key=True),
    # The same for every run that scores the same images with the same version into one output.
    Column("batch_key", String(64), nullable=False, unique=True),
    Column("at", BigInteger, nullable=False),
    Column("model", String(64), nullable=False),
    Column("number", Integer, nullable=False),
    # 1 if a distribution was beyond its limit, otherwise 0.
    Column("drifted", Integer, nullable=False),
    Column("document", Text, nullable=False),
    Column("labels", Text),
    Index("batches_by_model", "model", "id"),
    _length("model", 64),
)

_REFUSE_SQLITE = """
CREATE TRIGGER events_no_{action} BEFORE {action} ON events
BEGIN SELECT RAISE(ABORT, 'events are append-only'); END
"""
_REFUSE_POSTGRESQL = (
    """
CREATE OR REPLACE FUNCTION events_are_append_only() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE EXCEPTION 'events are append-only'; END $$
""",
    """
CREATE TRIGGER events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON events
FOR EACH STATEMENT EXECUTE FUNCTION events_are_append_only()
""",
)


def _refuse(statement: str, dialect: str) -> None:
    ddl = DDL(statement)  # type: ignore[no-untyped-call]
    event.listen(events, "after_create", ddl.execute_if(dialect=dialect))


for _action in ("UPDATE", "DELETE"):
    _refuse(_REFUSE_SQLITE.format(action=_action), "sqlite")
for _statement in _REFUSE_POSTGRESQL:
    _refuse(_statement, "postgresql")
