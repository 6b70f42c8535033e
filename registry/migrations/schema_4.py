"""Schema 4: messages and their deliveries, runs of jobs, scored batches."""

import sqlalchemy as sa
from alembic.operations import Operations
from sqlalchemy.engine import Connection

_TABLES = ("messages", "deliveries", "job_runs", "batches")


def upgrade(op: Operations) -> None:
    """Add the tables, and let the roles that may use `events` use them."""
    _create_messages(op)
    _create_job_runs(op)
    _create_batches(op)
    if op.get_bind().dialect.name == "postgresql":
        _grant(op.get_bind())


def _create_messages(op: Operations) -> None:
    op.create_table(
        "messages",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("done_at", sa.BigInteger),
    )
    op.create_index("messages_by_done", "messages", ["done_at", "at"])
    op.create_table(
        "deliveries",
        sa.Column("message_id", sa.String(64), sa.ForeignKey("messages.id"), primary_key=True),
        sa.Column("endpoint", sa.String(64), primary_key=True),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_at", sa.BigInteger, nullable=False),
        sa.Column("delivered_at", sa.BigInteger),
        sa.Column("error", sa.String(2000)),
        sa.CheckConstraint("length(error) <= 2000", name="error_length"),
    )


def _create_job_runs(op: Operations) -> None:
    op.create_table(
        "job_runs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("job", sa.String(64), nullable=False),
        sa.Column("host", sa.String(250), nullable=False),
        sa.Column("process", sa.String(250), nullable=False),
        sa.Column("run_id", sa.String(2000)),
        sa.Column("started_at", sa.BigInteger, nullable=False),
        sa.Column("ended_at", sa.BigInteger),
        sa.Column("outcome", sa.String(32)),
        sa.Column("message", sa.String(2000)),
        sa.CheckConstraint("length(message) <= 2000", name="message_length"),
    )
    op.create_index("job_runs_by_outcome", "job_runs", ["job", "outcome", "ended_at"])


def _create_batches(op: Operations) -> None:
    op.create_table(
        "batches",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("batch_key", sa.String(64), nullable=False, unique=True),
        sa.Column("at", sa.BigInteger, nullable=False),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("number", sa.Integer, nullable=False),
        sa.Column("drifted", sa.Integer, nullable=False),
        sa.Column("document", sa.Text, nullable=False),
        sa.Column("labels", sa.Text),
        sa.CheckConstraint("length(model) <= 64", name="model_length"),
    )
    op.create_index("batches_by_model", "batches", ["model", "id"])


def _grant(connection: Connection) -> None:
    """Grant on the new tables what each role has on `events`, and also to change their rows.

    An event is recorded with its message: without this, whoever may promote could not any more.
    """
    query = sa.text(
        "SELECT grantee, bool_or(privilege_type = 'INSERT') "
        "FROM information_schema.table_privileges "
        "WHERE table_schema = current_schema() AND table_name = 'events' "
        "AND privilege_type IN ('SELECT', 'INSERT') AND grantee <> current_user GROUP BY grantee"
    )
    quote = connection.dialect.identifier_preparer.quote
    for grantee, writes in connection.execute(query).all():
        role = "PUBLIC" if grantee == "PUBLIC" else quote(grantee)
        rights = "SELECT, INSERT, UPDATE, DELETE" if writes else "SELECT"
        connection.execute(sa.text(f"GRANT {rights} ON {', '.join(_TABLES)} TO {role}"))
        if writes:
            for table in ("job_runs", "batches"):
                connection.execute(sa.text(f"GRANT USAGE ON SEQUENCE {table}_id_seq TO {role}"))
