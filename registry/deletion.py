"""Deleting versions, one by one or by a rule. Their events stay, and their numbers are not reused.

The rows of a version are deleted, and an event is the tombstone: reading the others costs nothing
more. Its weights are removed after that, if no other version has the same ones.
"""

from collections.abc import Collection, Iterable

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from registry import aliases, documents, events, schema
from registry.approvals import read_proposals
from registry.blobs import Blobs
from registry.databases import Database
from registry.errors import VersionInUseError
from registry.garbage_collection import is_own_store, remove_blobs
from registry.queries import lock_model, require_model, require_number
from registry.records import DeletionResult
from registry.references import Reference
from registry.retention import Candidate, excess_versions
from registry.times import now

_versions = schema.versions.c


def delete_version(
    database: Database, blobs: Blobs, reference: Reference, *, reason: str | None, actor: str
) -> DeletionResult:
    """Delete one version, whose record may be damaged.

    Raises
    ------
    NotFoundError
    VersionInUseError
    """
    with database.write() as connection:
        model_id = lock_model(connection, reference.name)
        number = require_number(connection, reference)
        (deleted,) = _references(reference.name, [number])
        candidates = _candidates(connection, model_id)
        use = _uses(connection, model_id, reference.name).get(number)
        if use is None and len(candidates) == 1:
            use = "the only version of its model"
        if use is not None:
            raise VersionInUseError(deleted, use)
        digests = _unshared_digests(connection, model_id, [number])
        _delete(connection, model_id, [number], reason=reason, actor=actor)
    return DeletionResult((deleted,), *remove_blobs(database, blobs, digests))


def prune(
    database: Database,
    blobs: Blobs,
    name: str,
    *,
    keep: int,
    before: int | None,
    reason: str | None,
    dry_run: bool,
    actor: str,
) -> DeletionResult:
    """Delete the versions of a model that a rule of retention does not keep.

    Raises
    ------
    NotFoundError
        If there is no such model.
    """
    if dry_run:
        with database.read() as connection:
            model_id = require_model(connection, name)
            planned = _plan(connection, model_id, name, keep=keep, before=before)
            digests = _unshared_digests(connection, model_id, planned)
        if not is_own_store(database, blobs):
            digests = set()
        sizes = [size for sha256 in digests if (size := blobs.size_of(sha256)) is not None]
        return DeletionResult(_references(name, planned), len(sizes), sum(sizes))
    with database.write() as connection:
        model_id = lock_model(connection, name)
        planned = _plan(connection, model_id, name, keep=keep, before=before)
        digests = _unshared_digests(connection, model_id, planned)
        _delete(connection, model_id, planned, reason=reason, actor=actor)
    return DeletionResult(_references(name, planned), *remove_blobs(database, blobs, digests))


def _plan(
    connection: Connection, model_id: int, name: str, *, keep: int, before: int | None
) -> list[int]:
    return excess_versions(
        _candidates(connection, model_id),
        keep=keep,
        before=before,
        in_use=_uses(connection, model_id, name),
    )


def _candidates(connection: Connection, model_id: int) -> list[Candidate]:
    query = sa.select(_versions.number, _versions.created_at).where(_versions.model_id == model_id)
    return [Candidate(*row) for row in connection.execute(query)]


def _uses(connection: Connection, model_id: int, name: str) -> dict[int, str]:
    """Return why versions cannot be deleted, by number."""
    uses: dict[int, str] = {}
    columns = schema.aliases.c
    query = sa.select(columns.alias, columns.number).where(columns.model_id == model_id)
    current = connection.execute(query.order_by(columns.alias)).all()
    for alias, _ in current:
        previous = aliases.previous_number(connection, model_id, alias)
        if previous is not None:
            uses[previous] = f"the version that a rollback of {name}@{alias} returns to"
    for proposal in read_proposals(connection, model_id, name):
        number = Reference.parse(proposal.version).number
        assert number is not None
        uses[number] = f"proposed for {name}@{proposal.alias}"
    for alias, number in current:
        uses[number] = f"{name}@{alias}"
    return uses


def _unshared_digests(connection: Connection, model_id: int, numbers: Collection[int]) -> set[str]:
    """Return the digests of weights that only these versions have."""
    digests: set[str] = set()
    for sha256 in _digests(connection, model_id, numbers):
        query = sa.select(_versions.model_id, _versions.number).where(
            _versions.blob_sha256 == sha256
        )
        if all(of == model_id and number in numbers for of, number in connection.execute(query)):
            digests.add(sha256)
    return digests


def _digests(connection: Connection, model_id: int, numbers: Collection[int]) -> set[str]:
    query = sa.select(_versions.number, _versions.blob_sha256).where(_versions.model_id == model_id)
    return {sha256 for number, sha256 in connection.execute(query) if number in numbers}


_IS_VERSION = sa.and_(
    _versions.model_id == sa.bindparam("of_model"), _versions.number == sa.bindparam("of_number")
)
_DELETE_DETAILS = [
    sa.delete(table).where(
        table.c.version_id == sa.select(_versions.id).where(_IS_VERSION).scalar_subquery()
    )
    for table in documents.DETAIL_TABLES
]
_DELETE_VERSION = sa.delete(schema.versions).where(_IS_VERSION)


def _delete(
    connection: Connection,
    model_id: int,
    numbers: Iterable[int],
    *,
    reason: str | None,
    actor: str,
) -> None:
    """Delete the rows of versions, and write an event for each."""
    body = {"reason": reason} if reason else {}
    for number in numbers:
        events.append(
            connection, model_id, events.DELETED, body, at=now(), actor=actor, number=number
        )
        for statement in (*_DELETE_DETAILS, _DELETE_VERSION):
            connection.execute(statement, {"of_model": model_id, "of_number": number})


def _references(name: str, numbers: Iterable[int]) -> tuple[str, ...]:
    return tuple(f"{name}/{number}" for number in numbers)
