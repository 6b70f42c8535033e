"""The tables of a registry. Times are microseconds since 1970, UTC."""

from sqlalchemy import (
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
    UniqueConstraint,
)

VERSION = 1

# Long enough for a note, short enough for an index entry of PostgreSQL (about 2.7 kB).
TEXT_LIMIT = 2000

metadata = MetaData()


def _text(name: str, *, limit: int = TEXT_LIMIT, nullable: bool = False) -> Column[str]:
    return Column(name, String(limit), nullable=nullable)


# SQLite ignores the length of a VARCHAR; a check it does not ignore.
def _length(column: str, limit: int = TEXT_LIMIT) -> CheckConstraint:
    return CheckConstraint(f"length({column}) <= {limit}", name=f"{column}_length")


def _details(table: str, *columns: Column[str] | Column[float], limits: list[str]) -> Table:
    """Return a table of named values that belong to a version."""
    key, value = columns
    return Table(
        table,
        metadata,
        Column("version_id", ForeignKey("versions.id"), primary_key=True),
        key,
        value,
        *map(_length, limits),
        # To find versions by a value, without reading the rest.
        Index(f"{table}_by_value", key.name, value.name, "version_id"),
    )


meta = Table(
    "meta",
    metadata,
    Column("id", Integer, CheckConstraint("id = 1"), primary_key=True),
    Column("schema_version", Integer, nullable=False),
)

models = Table(
    "models",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    # Taken by UPDATE … RETURNING: a number once given is never given again.
    Column("next_version", Integer, nullable=False),
    Column("created_at", BigInteger, nullable=False),
    _length("name", 64),
)

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
    UniqueConstraint("model_id", "number"),
    UniqueConstraint("model_id", "idempotency_key"),
    Index("versions_by_state", "model_id", "state", "number"),
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
    # Counts the moves.
    Column("generation", Integer, nullable=False),
    Column("updated_at", BigInteger, nullable=False),
    # An alias can only point at a version that exists.
    ForeignKeyConstraint(["model_id", "number"], ["versions.model_id", "versions.number"]),
    _length("alias", 63),
)

version_metrics = _details(
    "version_metrics",
    Column("name", String(TEXT_LIMIT), primary_key=True),
    Column("value", Float, nullable=False),
    limits=["name"],
)

version_params = _details(
    "version_params",
    Column("name", String(TEXT_LIMIT), primary_key=True),
    _text("value"),  # As JSON, so that 32 comes back as 32 and "32" as "32".
    limits=["name", "value"],
)

version_tags = _details(
    "version_tags",
    Column("name", String(TEXT_LIMIT), primary_key=True),
    _text("value"),
    limits=["name", "value"],
)

version_inputs = _details(
    "version_inputs",
    Column("role", String(TEXT_LIMIT), primary_key=True),
    _text("sha256", limit=64),
    limits=["role"],
)
