"""What protects aliases in the database itself.

On PostgreSQL, triggers refuse every change of a protected alias, and of what it points at, to all
roles but the owner of the tables. Two functions run with the rights of the owner, so a role that
was granted EXECUTE on them can approve and move. Nobody is granted it by default. On SQLite,
whoever can write the file can change everything.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine import Connection

from registry import schema
from registry.errors import ProtectedAliasError

_aliases = schema.aliases.c
_approvals = schema.approvals.c
_protected = schema.protected_aliases.c

_INSUFFICIENT_PRIVILEGE = "42501"

_REQUIRED = sa.select(_protected.approvals).where(
    _protected.model_id == sa.bindparam("model_id"), _protected.alias == sa.bindparam("alias")
)


def required_approvals(connection: Connection, model_id: int, alias: str) -> int:
    """Return how many approvals a move of an alias needs; 0 if it is not protected."""
    return connection.scalar(_REQUIRED, {"model_id": model_id, "alias": alias}) or 0


def approver(connection: Connection, actor: str) -> str:
    """Return who approves: a database role on PostgreSQL, elsewhere the actor."""
    if connection.dialect.name != "postgresql":
        return actor
    return str(connection.scalar(sa.text("SELECT session_user")))


def insert_approval(
    connection: Connection,
    model_id: int,
    alias: str,
    number: int,
    *,
    actor: str,
    at: int,
    reason: str | None,
) -> None:
    """Insert the approval of a version for a protected alias."""
    values = {"model_id": model_id, "alias": alias, "number": number, "at": at, "reason": reason}
    if connection.dialect.name != "postgresql":
        connection.execute(sa.insert(schema.approvals).values(actor=actor, **values))
        return
    with translated_errors(alias):
        _call(connection, "digits_approve", values)


def move_protected(
    connection: Connection,
    model_id: int,
    alias: str,
    *,
    number: int,
    generation: int,
    moved_at: int,
) -> None:
    """Point a protected alias at an approved version, and clear its approvals."""
    if connection.dialect.name == "postgresql":
        with translated_errors(alias):
            arguments = {"model_id": model_id, "alias": alias, "number": number}
            last = {"generation": generation, "moved_at": moved_at}
            _call(connection, "digits_move_alias", {**arguments, **last})
        return
    clear_approvals(connection, model_id, alias)
    where = sa.and_(_aliases.model_id == model_id, _aliases.alias == alias)
    target = {"number": number, "generation": generation, "moved_at": moved_at}
    if connection.execute(sa.update(schema.aliases).where(where).values(target)).rowcount == 0:
        connection.execute(
            sa.insert(schema.aliases).values(model_id=model_id, alias=alias, **target)
        )


def clear_approvals(connection: Connection, model_id: int, alias: str) -> None:
    """Delete the approvals for an alias."""
    where = sa.and_(_approvals.model_id == model_id, _approvals.alias == alias)
    connection.execute(sa.delete(schema.approvals).where(where))


def _call(connection: Connection, function: str, values: Mapping[str, Any]) -> None:
    """Call a function in the schema of the tables, with arguments in the order of these values."""
    schemas = connection.get_execution_options().get("schema_translate_map", {})
    prefix = connection.dialect.identifier_preparer.quote(schemas[None])
    arguments = ", ".join(f":{name}" for name in values)
    connection.execute(sa.text(f"SELECT {prefix}.{function}({arguments})"), values)


@contextmanager
def translated_errors(alias: str) -> Iterator[None]:
    """Raise a ProtectedAliasError for what the database role may not do in this block."""
    try:
        yield
    except exc.DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) != _INSUFFICIENT_PRIVILEGE:
            raise
        raise ProtectedAliasError(
            f"Your database role may not do that with {alias}. Only the owner of the tables can "
            "protect aliases, and only roles with EXECUTE on digits_approve and digits_move_alias "
            "can move protected ones."
        ) from error


def create_protection(connection: Connection) -> None:
    """Create the functions and triggers of a registry on PostgreSQL.

    The schema 3 has them, so they do not change: others come with another schema.
    """
    if connection.dialect.name != "postgresql":
        return
    # The functions keep this search path, in which nobody else can put tables of the same names.
    path = connection.scalar(sa.text("SELECT current_setting('search_path')"))
    set_path = sa.text("SELECT set_config('search_path', :path, true)")
    own = connection.scalar(sa.text("SELECT quote_ident(current_schema()) || ', pg_temp'"))
    connection.execute(set_path, {"path": own})
    for statement in _STATEMENTS:
        connection.exec_driver_sql(statement)
    connection.execute(set_path, {"path": path})


# The driver takes a single % for a placeholder.
_IS_OWNER = """
    IF (SELECT pg_has_role(current_user, relowner, 'MEMBER') FROM pg_class WHERE oid = TG_RELID)
"""

_FUNCTIONS = (
    f"""
CREATE FUNCTION digits_only_owner() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
BEGIN {_IS_OWNER} THEN
        IF TG_LEVEL = 'STATEMENT' THEN RETURN NULL; END IF;
        RETURN COALESCE(NEW, OLD);
    END IF;
    RAISE EXCEPTION 'only the owner of %% may do that', TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$
""",
    f"""
CREATE FUNCTION digits_guard_alias() RETURNS trigger LANGUAGE plpgsql
SET search_path FROM CURRENT AS $$
BEGIN {_IS_OWNER} OR NOT EXISTS (
        SELECT FROM protected_aliases p
        WHERE p.model_id = OLD.model_id AND p.alias = OLD.alias
           OR p.model_id = NEW.model_id AND p.alias = NEW.alias
    ) THEN
        IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the alias %% is protected', COALESCE(NEW.alias, OLD.alias)
        USING ERRCODE = 'insufficient_privilege';
END $$
""",
    """
CREATE FUNCTION digits_approve(model integer, name text, version integer, moment bigint, why text)
RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path FROM CURRENT AS $$
    INSERT INTO approvals (model_id, alias, number, actor, at, reason)
    VALUES (model, name, version, session_user, moment, why)
$$
""",
    """
CREATE FUNCTION digits_move_alias(
    model integer, name text, version integer, event integer, moment bigint
) RETURNS void LANGUAGE plpgsql SECURITY DEFINER SET search_path FROM CURRENT AS $$
BEGIN
    IF (SELECT count(*) FROM approvals a
        WHERE a.model_id = model AND a.alias = name AND a.number = version)
       < (SELECT p.approvals FROM protected_aliases p
          WHERE p.model_id = model AND p.alias = name) THEN
        RAISE EXCEPTION 'version %% needs more approvals', version
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    DELETE FROM approvals a WHERE a.model_id = model AND a.alias = name;
    INSERT INTO aliases (model_id, alias, number, generation, moved_at)
    VALUES (model, name, version, event, moment)
    ON CONFLICT (model_id, alias) DO UPDATE
    SET number = version, generation = event, moved_at = moment;
END $$
""",
    """
REVOKE ALL ON FUNCTION digits_approve(integer, text, integer, bigint, text),
    digits_move_alias(integer, text, integer, integer, bigint) FROM PUBLIC
""",
)

_TRIGGERS = (
    """
CREATE TRIGGER guard_alias BEFORE INSERT OR UPDATE OR DELETE ON aliases
FOR EACH ROW EXECUTE FUNCTION digits_guard_alias()
""",
    *(
        f"""
CREATE TRIGGER only_owner BEFORE {changes} ON {table}
FOR EACH {level} EXECUTE FUNCTION digits_only_owner()
"""
        for table, changes, level in (
            ("protected_aliases", "INSERT OR UPDATE OR DELETE OR TRUNCATE", "STATEMENT"),
            ("approvals", "INSERT OR UPDATE OR DELETE OR TRUNCATE", "STATEMENT"),
            # What an alias points at is named by these columns, which never change.
            ("models", "UPDATE OF id, name", "ROW"),
            ("versions", "UPDATE OF id, model_id, number, blob_sha256, event_seq", "ROW"),
        )
    ),
    """
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON aliases
FOR EACH STATEMENT EXECUTE FUNCTION digits_only_owner()
""",
)

_STATEMENTS = (*_FUNCTIONS, *_TRIGGERS)

sa.event.listen(
    schema.metadata,
    "after_create",
    lambda _metadata, connection, **_options: create_protection(connection),
)
