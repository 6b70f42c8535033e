"""The registry: versions of weights, and questions about them."""

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from registry import details, schema
from registry.blobs import DirectoryBlobs
from registry.database import Database
from registry.details import short_text
from registry.errors import IdempotencyConflictError, InvalidArgumentError, NotFoundError
from registry.queries import find_versions, model_id_of
from registry.records import ModelVersion, Param, Reference, alias_name, model_name

READY = "ready"


class Registry:
    """Versions of weights in a database and a blob store.

    Weights are opaque bytes. A version's file is on disk before its row, and the row, its
    number and its details are one transaction: there is no version without its weights.

    Parameters
    ----------
    url : str
        ``sqlite:///PATH``; created where it does not exist.
    blobs : str
        A directory for the weights, as a path or ``file://``.

    Raises
    ------
    UnsupportedError
        Where the database or the store is of a kind this release does not know.
    UnavailableError
        Where they cannot be read or written. Any method may raise it.
    """

    def __init__(self, url: str, blobs: str) -> None:
        self._blobs = DirectoryBlobs(blobs)
        self._database = Database(url)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Registry({self._database.url.render_as_string(hide_password=True)!r})"

    def close(self) -> None:
        """Close every connection to the database."""
        self._database.close()

    def register(
        self,
        name: str,
        weights: bytes,
        *,
        metrics: Mapping[str, float] | None = None,
        params: Mapping[str, Param] | None = None,
        tags: Mapping[str, str] | None = None,
        inputs: Mapping[str, str] | None = None,
        run_id: str | None = None,
        idempotency_key: str | None = None,
    ) -> ModelVersion:
        """Add a version and return it.

        Parameters
        ----------
        name : str
            Of the model; it is created with its first version.
        weights : bytes
        metrics : mapping of str to float, optional
            Finite numbers.
        params : mapping of str to values JSON can hold, optional
        tags : mapping of str to str, optional
        inputs : mapping of str to str, optional
            SHA-256 in hexadecimal, by role.
        run_id : str, optional
            The run that made the weights.
        idempotency_key : str, optional
            A registration that is tried again with the same key returns the version the first
            one made.

        Raises
        ------
        InvalidArgumentError
            Where an argument is outside its domain. Nothing is stored.
        IdempotencyConflictError
            Where the key was used before, for other weights.
        """
        model_name(name)
        rows = details.encode(metrics or {}, params or {}, tags or {}, inputs or {})
        if run_id is not None:
            short_text("run_id", run_id)
        if idempotency_key is not None:
            short_text("idempotency_key", idempotency_key)
        sha256 = self._blobs.put(weights)
        with self._database.write() as connection:
            if idempotency_key is not None:
                earlier = find_versions(
                    connection,
                    schema.versions.c.model_id == model_id_of(name),
                    schema.versions.c.idempotency_key == idempotency_key,
                )
                if earlier:
                    return _same_weights(earlier[0], sha256, idempotency_key)
            now = _now()
            model_id, number = _take_number(connection, name, now)
            _know_blob(connection, sha256, len(weights), now)
            version_id = connection.scalar(
                sa.insert(schema.versions)
                .values(
                    model_id=model_id,
                    number=number,
                    state=READY,
                    blob_sha256=sha256,
                    run_id=run_id,
                    idempotency_key=idempotency_key,
                    created_at=now,
                )
                .returning(schema.versions.c.id)
            )
            for table, values in rows.items():
                for key, value in values.items():
                    connection.execute(sa.insert(table).values((version_id, key, value)))
            return find_versions(connection, schema.versions.c.id == version_id)[0]

    def get(self, reference: str) -> ModelVersion:
        """Return the version that ``name@alias`` or ``name/number`` means now.

        Raises
        ------
        InvalidArgumentError
            Where the reference is neither.
        NotFoundError
        """
        parsed = Reference.parse(reference)
        with self._database.read() as connection:
            number: int | sa.ScalarSelect[int] | None = parsed.number
            if parsed.alias is not None:
                number = (
                    sa.select(schema.aliases.c.number)
                    .where(schema.aliases.c.model_id == model_id_of(parsed.name))
                    .where(schema.aliases.c.alias == parsed.alias)
                    .scalar_subquery()
                )
            found = find_versions(
                connection,
                schema.versions.c.model_id == model_id_of(parsed.name),
                schema.versions.c.number == number,
            )
        if not found:
            raise NotFoundError(reference, "`digits versions` lists what there is.")
        return found[0]

    def versions(self, name: str | None = None, *, limit: int | None = None) -> list[ModelVersion]:
        """Return versions, newest first; of one model, or of all.

        A model without versions, or none of that name, gives an empty list.
        """
        if limit is not None and limit < 1:
            raise InvalidArgumentError("limit", "a whole number from 1", limit)
        conditions = []
        if name is not None:
            conditions.append(schema.versions.c.model_id == model_id_of(model_name(name)))
        with self._database.read() as connection:
            return find_versions(connection, *conditions, limit=limit)

    def set_alias(self, name: str, alias: str, number: int) -> ModelVersion:
        """Point an alias at a version, from wherever it pointed before; return the version.

        Raises
        ------
        NotFoundError
            Where there is no such version. The alias stays as it was.
        """
        alias_name(alias)
        reference = Reference.parse(f"{model_name(name)}/{number}")
        with self._database.write() as connection:
            row = connection.execute(
                sa.select(schema.versions.c.id, schema.versions.c.model_id)
                .where(schema.versions.c.model_id == model_id_of(name))
                .where(schema.versions.c.number == reference.number)
            ).one_or_none()
            if row is None:
                raise NotFoundError(f"{name}/{number}", "`digits versions` lists what there is.")
            moved = connection.execute(
                sa.update(schema.aliases)
                .where(schema.aliases.c.model_id == row.model_id)
                .where(schema.aliases.c.alias == alias)
                .values(
                    number=number,
                    generation=schema.aliases.c.generation + 1,
                    updated_at=_now(),
                )
            )
            if moved.rowcount == 0:
                connection.execute(
                    sa.insert(schema.aliases).values(
                        model_id=row.model_id,
                        alias=alias,
                        number=number,
                        generation=1,
                        updated_at=_now(),
                    )
                )
            return find_versions(connection, schema.versions.c.id == row.id)[0]

    def load(self, reference: str) -> bytes:
        """Return the weights of a version, their SHA-256 verified.

        Raises
        ------
        NotFoundError
        MissingBlobError, DamagedBlobError
            Where the weights are not the ones registered.
        """
        return self._blobs.get(self.get(reference).sha256)


def _same_weights(earlier: ModelVersion, sha256: str, key: str) -> ModelVersion:
    if earlier.sha256 != sha256:
        raise IdempotencyConflictError(key, earlier.reference, earlier.sha256, sha256)
    return earlier


def _take_number(connection: Connection, name: str, now: int) -> tuple[int, int]:
    """Return the model's id and a version number that nobody else gets."""
    models = schema.models
    take = (
        sa.update(models)
        .where(models.c.name == name)
        .values(next_version=models.c.next_version + 1)
        .returning(models.c.id, models.c.next_version - 1)
    )
    row = connection.execute(take).one_or_none()
    if row is None:
        connection.execute(sa.insert(models).values(name=name, next_version=1, created_at=now))
        row = connection.execute(take).one()
    return row[0], row[1]


def _know_blob(connection: Connection, sha256: str, size: int, now: int) -> None:
    known = sa.select(schema.blobs.c.sha256).where(schema.blobs.c.sha256 == sha256)
    if connection.scalar(known) is None:
        row = {"sha256": sha256, "size": size, "created_at": now}
        connection.execute(sa.insert(schema.blobs), row)


def _now() -> int:
    return time.time_ns() // 1000
