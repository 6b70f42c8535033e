"""The registry: versions of weights, and questions about them."""

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import sqlalchemy as sa

from registry import aliases, archives, details, events, filters, registration, schema
from registry.blobs import open_blobs
from registry.collection import collect
from registry.comparison import compare
from registry.databases import open_database
from registry.errors import ArchivedError, InvalidArgumentError, NotFoundError
from registry.queries import (
    WHAT_THERE_IS,
    find_alias,
    find_latest,
    find_version,
    lock_model,
    model_id_of,
    page,
    require_version,
)
from registry.records import (
    ARCHIVED,
    CHAMPION,
    READY,
    Alias,
    Check,
    Collected,
    Comparison,
    Event,
    Finding,
    Imported,
    ModelVersion,
    Param,
    Reference,
    alias_name,
    microseconds,
    model_name,
    now,
)
from registry.verification import verify


class Registry:
    """Versions of weights in a database and a blob store.

    Weights are opaque bytes. A version's file is on disk before its row, and the row, its
    number, its details and the event that tells of it are one transaction: there is no version
    without its weights. It may be used from several threads, and after a fork.

    Parameters
    ----------
    url : str
        ``sqlite:///PATH``, or ``postgresql+psycopg://USER@HOST/DATABASE``; its tables are
        created where there are none.
    blobs : str
        Where the weights are: a directory, as a path or ``file://``, or an address that
        pyarrow.fs knows, as ``s3://BUCKET/PREFIX``.
    actor : str, optional
        Who the history says it was.

    Raises
    ------
    UnsupportedError
        Where the database or the store is of a kind this release does not know.
    UnavailableError
        Where they cannot be read or written. Any method may raise it.
    """

    def __init__(self, url: str, blobs: str, *, actor: str = "") -> None:
        self._actor = details.text("actor", actor, schema.NAME_LIMIT)
        self._blobs = open_blobs(blobs)
        self._database = open_database(url)

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
        return f"Registry({self._database.place!r})"

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
        environment: Mapping[str, str] | None = None,
        gate: Sequence[Check] = (),
        parent: str | None = None,
        code_version: str | None = None,
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
        environment : mapping of str to str, optional
            What it was trained with, as releases of libraries.
        gate : sequence of Check, optional
            What it was held against, and how that came out.
        parent : str, optional
            The version it comes from, ``name/number``.
        code_version : str, optional
            Of the code that trained it.
        run_id : str, optional
            The run that made the weights.
        idempotency_key : str, optional
            A registration that is tried again with the same key returns the version the first
            one made.

        Raises
        ------
        InvalidArgumentError
            Where an argument is outside its domain. Nothing is stored.
        NotFoundError
            Where there is no such parent.
        IdempotencyConflictError
            Where the key was used before, for other weights.
        """
        model_name(name)
        document = details.document_of(
            metrics=metrics or {},
            params=params or {},
            tags=tags or {},
            inputs=inputs or {},
            environment=environment or {},
            gate=gate,
            parent=parent,
            code_version=code_version,
            run_id=run_id,
            idempotency_key=idempotency_key,
        )
        return registration.register(
            self._database, self._blobs, name, weights, document, actor=self._actor
        )

    def refuse(
        self,
        name: str,
        sha256: str,
        *,
        gate: Sequence[Check],
        metrics: Mapping[str, float] | None = None,
        params: Mapping[str, Param] | None = None,
        tags: Mapping[str, str] | None = None,
        inputs: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        parent: str | None = None,
        code_version: str | None = None,
        run_id: str | None = None,
    ) -> Event:
        """Put a candidate that its gate refused on record, in the history of the model.

        It does not become a version: nothing can be promoted by mistake, and its weights are not
        kept. Told again of the same run and the same weights, the registry returns the event
        that is there.

        Parameters
        ----------
        sha256 : str
            Of the candidate's weights, in hexadecimal.
        gate : sequence of Check
            At least one of them failed.
        metrics, params, tags, inputs, environment, parent, code_version, run_id
            As for `register`.

        Raises
        ------
        InvalidArgumentError
            Where an argument is outside its domain, or every check passed. Nothing is recorded.
        """
        model_name(name)
        details.digest("sha256", sha256)
        document = details.document_of(
            metrics=metrics or {},
            params=params or {},
            tags=tags or {},
            inputs=inputs or {},
            environment=environment or {},
            gate=gate,
            parent=parent,
            code_version=code_version,
            run_id=run_id,
            idempotency_key=None,
        )
        if all(check.passed for check in gate):
            raise InvalidArgumentError("gate", "a check that failed", list(map(str, gate)))
        with self._database.write() as connection:
            entry = registration.refuse(
                connection, name, {**document, "sha256": sha256}, actor=self._actor
            )
        return entry.event(name)

    def get(self, reference: str, *, at: datetime | None = None) -> ModelVersion:
        """Return the version that ``name@alias`` or ``name/number`` means.

        Parameters
        ----------
        at : datetime, optional
            The moment of which an alias is asked; now, where it is left out. With a time zone.

        Raises
        ------
        InvalidArgumentError
            Where the reference is neither.
        NotFoundError
        """
        parsed = Reference.parse(reference)
        with self._database.read() as connection:
            if parsed.alias is not None and at is not None:
                number = aliases.number_at(connection, parsed.name, parsed.alias, microseconds(at))
                parsed = Reference(parsed.name, None, number)
            found = find_version(connection, parsed)
        if found is None:
            raise NotFoundError(reference, WHAT_THERE_IS)
        return found

    def latest(self, name: str) -> ModelVersion:
        """Return the version of a model with the highest number.

        Raises
        ------
        NotFoundError
        """
        model_name(name)
        with self._database.read() as connection:
            found = find_latest(connection, name)
        if found is None:
            raise NotFoundError(f"version of {name}", WHAT_THERE_IS)
        return found

    def versions(
        self,
        name: str | None = None,
        *,
        where: str | None = None,
        order_by: str | None = None,
        limit: int | None = None,
        after: str | ModelVersion | None = None,
    ) -> list[ModelVersion]:
        """Return versions, newest first; of one model, or of all.

        A model without versions, or none of that name, gives an empty list.

        Parameters
        ----------
        where : str, optional
            A condition, as ``metrics.accuracy >= 0.99 and tags.team = 'ocr' and not state =
            'archived'``; `registry.filters` has its grammar.
        order_by : str, optional
            ``number``, ``created_at`` or ``metrics.NAME``, and ``desc`` for the largest first.
            By a metric, only versions that have it are listed.
        limit : int, optional
        after : str or ModelVersion, optional
            The last version of the page before, in the same order.

        Raises
        ------
        FilterError
            Where a condition or an order cannot be read; its text shows where.
        NotFoundError
            Where there is no version to follow.
        """
        _check_count("limit", limit)
        if isinstance(after, ModelVersion):
            after = after.reference
        last = None if after is None else Reference.parse(after)
        if last is not None and last.number is None:
            raise InvalidArgumentError("after", "a version, name/number", after)
        if name is not None:
            model_name(name)
        condition = None if where is None else filters.condition(where)
        order = None if order_by is None else filters.order(order_by)
        with self._database.read() as connection:
            return page(
                connection, name=name, where=condition, order=order, limit=limit, after=last
            )

    def compare(self, first: str, second: str) -> Comparison:
        """Return how two versions differ.

        Raises
        ------
        NotFoundError
        """
        return compare(self.get(first), self.get(second))

    def load(self, reference: str) -> bytes:
        """Return the weights of a version, their SHA-256 verified.

        Raises
        ------
        NotFoundError
        MissingBlobError, DamagedBlobError
            Where the weights are not the ones registered.
        """
        return self._blobs.get(self.get(reference).sha256)

    def alias(self, name: str, alias: str) -> Alias:
        """Return where an alias points, and the generation to move it from.

        Raises
        ------
        NotFoundError
            Where it is not set.
        """
        with self._database.read() as connection:
            found = find_alias(connection, model_name(name), alias_name(alias))
        if found is None:
            raise NotFoundError(f"{name}@{alias}", WHAT_THERE_IS)
        return found

    def set_alias(
        self,
        name: str,
        alias: str,
        number: int,
        *,
        expected: Alias | int | None = None,
        force: bool = False,
        reason: str | None = None,
    ) -> ModelVersion:
        """Point an alias at a version; return the version.

        Parameters
        ----------
        expected : Alias or int, optional
            Where the alias is thought to be, as `alias` returned it, or its generation; 0 where
            it is thought not to be set. If somebody else has moved it since, it stays. Where
            this is left out, it is moved from wherever it is.
        force : bool, optional
            Let ``champion`` point at a version that no gate let pass. The history says so.
        reason : str, optional
            Why it is moved, for the history.

        Raises
        ------
        NotFoundError
            Where there is no such version. The alias stays as it was, as after every error.
        AliasMovedError
            Where it is not where it was expected; it tells where it is.
        GateError
            Where the alias is ``champion`` and the version did not pass its gate.
        ArchivedError
            Where the version is archived.
        """
        alias_name(alias)
        if reason is not None:
            details.text("reason", reason)
        reference = Reference.parse(f"{model_name(name)}/{number}")
        generation = expected.generation if isinstance(expected, Alias) else expected
        with self._database.write() as connection:
            model_id = lock_model(connection, name)
            aliases.move(
                connection,
                model_id,
                require_version(connection, reference),
                alias,
                kind=events.ALIAS_MOVED,
                expected=generation,
                needs_gate=alias == CHAMPION and not force,
                reason=reason,
                actor=self._actor,
            )
            return require_version(connection, reference)

    def remove_alias(self, name: str, alias: str) -> None:
        """Take an alias away.

        Raises
        ------
        NotFoundError
            Where it is not set.
        """
        model_name(name)
        alias_name(alias)
        with self._database.write() as connection:
            model_id = lock_model(connection, name)
            aliases.remove(connection, model_id, f"{name}@{alias}", actor=self._actor)

    def rollback(self, name: str, alias: str = CHAMPION) -> ModelVersion:
        """Point an alias at the version it pointed at before; return the version.

        Once more goes one further back. A version that was in production may be again, whatever
        its gate said; where it had not passed, the history says that this was forced.

        Raises
        ------
        NotFoundError
            Where the alias pointed at nothing before.
        """
        model_name(name)
        alias_name(alias)
        with self._database.write() as connection:
            model_id = lock_model(connection, name)
            number = aliases.before(connection, model_id, f"{name}@{alias}")
            reference = Reference(name, None, number)
            aliases.move(
                connection,
                model_id,
                require_version(connection, reference),
                alias,
                kind=events.ALIAS_ROLLED_BACK,
                expected=None,
                needs_gate=False,
                actor=self._actor,
            )
            return require_version(connection, reference)

    def archive(self, reference: str) -> ModelVersion:
        """Take a version out of use; it is kept, and found. Return it.

        Raises
        ------
        NotFoundError
        ArchivedError
            Where an alias points at it.
        """
        return self._set_state(reference, ARCHIVED, events.ARCHIVED)

    def restore(self, reference: str) -> ModelVersion:
        """Take an archived version back into use; return it.

        Raises
        ------
        NotFoundError
        """
        return self._set_state(reference, READY, events.RESTORED)

    def history(
        self,
        name: str,
        *,
        alias: str | None = None,
        limit: int | None = None,
        before: int | None = None,
    ) -> list[Event]:
        """Return what happened to a model, the last first; or to one of its aliases.

        Parameters
        ----------
        limit : int, optional
        before : int, optional
            The `seq` of an event; only those before it are returned.

        Raises
        ------
        NotFoundError
            Where there is no such model.
        """
        _check_count("limit", limit)
        _check_count("before", before)
        columns = schema.events.c
        model_name(name)
        query = (
            sa.select(*events.COLUMNS)
            .where(columns.model_id == model_id_of(name))
            .order_by(columns.seq.desc())
            .limit(limit)
        )
        if alias is not None:
            query = query.where(columns.alias == alias_name(alias))
        if before is not None:
            query = query.where(columns.seq < before)
        with self._database.read() as connection:
            if connection.scalar(sa.select(model_id_of(name))) is None:
                raise NotFoundError(f"model {name}", WHAT_THERE_IS)
            return [events.Entry._make(row).event(name) for row in connection.execute(query)]

    def verify(self, reference: str | None = None) -> Iterator[Finding]:
        """Yield what is wrong; of one version's weights and record, or of everything.

        Everything is: the database, the chain of events of every model, whether versions,
        details and aliases are as the events say, and every blob. What is left over from
        writers that were killed is a warning: nothing that was registered is wrong.

        Raises
        ------
        NotFoundError
        """
        parsed = None if reference is None else Reference.parse(reference)
        if parsed is not None and parsed.number is None:
            parsed = Reference.parse(self.alias(parsed.name, str(parsed.alias)).reference)
        return verify(self._database, self._blobs, parsed)

    def gc(self, *, grace: timedelta = timedelta(hours=1), dry_run: bool = False) -> Collected:
        """Remove what no version refers to, and what killed writers left.

        Parameters
        ----------
        grace : timedelta
            How old it must be. Registrations under way are safe whatever it is; this spares
            them from storing their weights twice.
        dry_run : bool, optional
            Only say what would be removed.
        """
        return collect(
            self._database, self._blobs, time.time() - grace.total_seconds(), dry_run=dry_run
        )

    def export(self, selection: str, file: str | Path) -> tuple[str, ...]:
        """Write versions with their weights and history to a file; return their references.

        Parameters
        ----------
        selection : str
            A version, ``name/number`` or ``name@alias``; or a model's name, for all of it.

        Raises
        ------
        NotFoundError
        MissingBlobError, DamagedBlobError
        """
        return archives.write(self._database, self._blobs, selection, file)

    def import_(self, file: str | Path) -> Imported:
        """Add the versions of an export, under their numbers.

        A model that is not there yet, of which the file holds everything, comes with its
        history and aliases as they were. Into one that is there, versions are added; its
        aliases stay. Versions that are there already, the same, are left alone.

        Raises
        ------
        ArchiveError
            Where the file is damaged, or none of ours.
        CollisionError
            Where other versions have these numbers. Nothing is imported.
        """
        return archives.read(self._database, self._blobs, file, actor=self._actor)

    def _set_state(self, reference: str, state: str, kind: str) -> ModelVersion:
        parsed = Reference.parse(self.get(reference).reference)
        with self._database.write() as connection:
            model_id = lock_model(connection, parsed.name)
            version = require_version(connection, parsed)
            if state == ARCHIVED and version.aliases:
                raise ArchivedError(
                    f"{version.reference} cannot be archived while it is "
                    f"{', '.join(version.aliases)}. Move the alias first."
                )
            if version.state != state:
                connection.execute(
                    sa.update(schema.versions)
                    .where(schema.versions.c.model_id == model_id)
                    .where(schema.versions.c.number == version.number)
                    .values(state=state)
                )
                events.append(
                    connection,
                    model_id,
                    kind,
                    {},
                    at=now(),
                    actor=self._actor,
                    number=version.number,
                )
            return require_version(connection, parsed)


def _check_count(name: str, value: object) -> None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 1 <= value < 1 << 31
    if value is not None and not is_count:
        raise InvalidArgumentError(name, "a whole number from 1", value)
