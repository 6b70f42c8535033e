"""The registry: the public interface to versions, aliases and history."""

import contextlib
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from registry import (
    aliases,
    annotations,
    batches,
    events,
    protection,
    registration,
    schema,
    validation,
)
from registry import approvals as four_eyes
from registry.archives import export_versions, import_versions
from registry.author import Author, EventSigner
from registry.blobs import open_blobs
from registry.comparison import compare
from registry.copying import copy_version
from registry.databases import open_database
from registry.deletion import delete_version, prune
from registry.documents import to_document
from registry.durability import atomic_write
from registry.errors import (
    InvalidArgumentError,
    NotFoundError,
    UnavailableError,
    VersionInUseError,
)
from registry.filters import parse_condition, parse_order
from registry.frames import versions_frame
from registry.garbage_collection import collect_garbage
from registry.job_runs import JobRuns
from registry.messages import Messages
from registry.models import read_models
from registry.past import find_alias_at, find_version_at
from registry.queries import (
    find_alias,
    find_latest,
    find_version,
    lock_model,
    model_id_of,
    read_metric,
    read_page,
    require_model,
    require_number,
    require_version,
)
from registry.records import (
    ARCHIVED,
    CHAMPION,
    MAX_APPROVALS,
    READY,
    AgreedLabels,
    Alias,
    Batch,
    BatchRecord,
    Comparison,
    DeletionResult,
    Event,
    Finding,
    GCResult,
    ImportResult,
    MetricValue,
    ModelVersion,
    Proposal,
    RegisteredModel,
    RunRecord,
)
from registry.references import Reference, VersionLike, alias_name, model_name, settable_alias
from registry.times import now, to_microseconds
from registry.verification import verify

if TYPE_CHECKING:
    import pyarrow

    from registry.signing import TrustedKeys

_NOTHING = RunRecord()


class Registry:
    """A model registry in a database and a blob store.

    Weights are opaque bytes. They are on disk before their version is committed, and one
    transaction writes the version, its number, its details and its event: there is no version
    without its weights. A registry may be used from several threads, and after a fork.

    Parameters
    ----------
    url : str
        ``sqlite:///PATH`` or ``postgresql+psycopg://USER@HOST/DATABASE``. In PATH, a question mark
        is written ``%3F``. A relative path is resolved now, and so is one of `blobs`. A SQLite file
        that the user may only read is opened for reading.
    blobs : str
        Where the weights are: a directory (a path or ``file://``), or an address that pyarrow.fs
        supports, such as ``s3://BUCKET/PREFIX``.
    actor : str, optional
        Who makes the changes, for the history.
    create : bool, optional
        Create the registry if there is none, which is the default.
    signing_key : str or PathLike, optional
        File of the private key that signs the events, as ``ssh-keygen -t ed25519`` makes it.
    default_model : str, optional
        The model that is meant by a reference without one: ``@champion``, ``7``.

    A version is named by a reference (``name@alias``, ``name/number``), by its record, or, if
    there is a default model, by ``@alias`` or its number.

    Raises
    ------
    NoRegistryError
        If there is no registry and none is to be created.
    UnsupportedError
        If this release cannot use this kind of database or blob store.
    UnavailableError
        If they cannot be read or written. Every method may raise it.
    """

    def __init__(
        self,
        url: str,
        blobs: str,
        *,
        actor: str = "",
        create: bool = True,
        signing_key: str | PathLike[str] | None = None,
        default_model: str | None = None,
    ) -> None:
        self._default_model = None if default_model is None else model_name(default_model)
        name = validation.text("actor", actor, schema.NAME_LIMIT)
        self._actor = Author(name, None if signing_key is None else _signing_key(signing_key))
        self._blobs = open_blobs(blobs)
        self._database = open_database(url, create=create)
        self.messages = Messages(self._database)
        """What happened and people should know, and to whom it was sent."""
        self.job_runs = JobRuns(self._database)
        """The last runs of each job."""

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
        return f"Registry({self._database.address!r})"

    @property
    def id(self) -> str:
        """The id that the registry got when it was created, and keeps."""
        return self._database.registry_id

    def close(self) -> None:
        """Close all connections to the database."""
        self._database.close()

    def register(
        self,
        name: str,
        weights: bytes | str | PathLike[str],
        record: RunRecord = _NOTHING,
        *,
        idempotency_key: str | None = None,
    ) -> ModelVersion:
        """Add a version of a model and return it.

        Parameters
        ----------
        name : str
            Name of the model, which is created with its first version.
        weights : bytes, str or PathLike
            The weights, also as a bytearray or a memoryview; or the path of their file.
        record : RunRecord, optional
            Metrics, parameters and lineage of the version.
        idempotency_key : str, optional
            Repeating a registration with the same key returns the version of the first one.

        Raises
        ------
        InvalidArgumentError
            If a value is outside its domain. Nothing is stored.
        NotFoundError
            If there is no such parent.
        IdempotencyConflictError
            If the key was used before, for other weights.
        """
        model_name(name)
        document = to_document(record, idempotency_key)
        content = _content(weights)
        return registration.register(
            self._database, self._blobs, name, content, document, actor=self._actor
        )

    def refuse(self, name: str, sha256: str, record: RunRecord) -> Event:
        """Record a candidate that failed its gate in the history of the model.

        It does not become a version, so it cannot be promoted by mistake, and its weights are not
        stored. Repeating the call for the same run and weights returns the first event.

        Parameters
        ----------
        name : str
            Name of the model, which is created if there is none.
        sha256 : str
            SHA-256 of the candidate's weights, in hexadecimal.
        record : RunRecord
            At least one check of its gate failed.

        Raises
        ------
        InvalidArgumentError
            If a value is outside its domain, or all checks passed. Nothing is recorded.
        NotFoundError
            If there is no such parent.
        """
        model_name(name)
        validation.digest("sha256", sha256)
        document = to_document(record)
        if all(check.passed for check in record.gate):
            raise InvalidArgumentError("gate", "a check that failed", list(map(str, record.gate)))
        with self._database.write() as connection:
            entry = registration.refuse(
                connection, name, {**document, "sha256": sha256}, actor=self._actor
            )
        return entry.event(name)

    def get(self, reference: VersionLike, *, at: datetime | None = None) -> ModelVersion:
        """Return the version that a reference means.

        Parameters
        ----------
        reference : str, int, ModelVersion or Alias
            ``name@alias`` or ``name/number``; ``name@latest`` is the version with the highest
            number. A record stands for its version as it is now.
        at : datetime, optional
            Return the version, its state and its aliases as they were at this time, which has a
            time zone; now by default.

        Raises
        ------
        InvalidArgumentError
            If the reference has neither form.
        NotFoundError
        """
        parsed = self._reference(reference)
        microseconds = None if at is None else to_microseconds(at)
        with self._database.read() as connection:
            if microseconds is None:
                return require_version(connection, parsed)
            version = find_version_at(connection, parsed, microseconds)
        if version is None:
            raise NotFoundError(str(parsed), f"There was no {parsed} in the registry at {at}.")
        return version

    def latest(self, name: str) -> ModelVersion:
        """Return the version of a model with the highest number.

        Raises
        ------
        NotFoundError
        """
        model_name(name)
        with self._database.read() as connection:
            version = find_latest(connection, name)
        if version is None:
            raise NotFoundError(f"version of {name}")
        return version

    def versions(
        self,
        name: str | None = None,
        *,
        where: str | None = None,
        order_by: str | None = None,
        limit: int | None = None,
        after: VersionLike | None = None,
    ) -> list[ModelVersion]:
        """Return the versions of one model, newest first; or of all models, by name of the model.

        The list is empty if there is no such model. A version whose record was edited or lost has
        the state ``damaged``; everything else refuses it.

        Parameters
        ----------
        name : str, optional
        where : str, optional
            A condition, such as ``metrics.accuracy >= 0.99 and tags.team = 'ocr' and not state =
            'archived'``; `registry.filters.grammar` has the syntax.
        order_by : str, optional
            ``number``, ``created_at`` or ``metrics.NAME``, followed by ``desc`` for the largest
            first. Sorting by a metric leaves out versions without it.
        limit : int, optional
            Maximum number of versions.
        after : str, int or ModelVersion, optional
            The last version of the previous page, in the same order.

        Raises
        ------
        FilterError
            If a condition or an order has a syntax error; the message shows the position.
        NotFoundError
            If there is no version `after`.
        """
        validation.count("limit", limit)
        last = None if after is None else self._reference(after)
        if last is not None and last.number is None:
            raise InvalidArgumentError("after", "a version, name/number", after)
        if name is not None:
            model_name(name)
        condition = None if where is None else parse_condition(where)
        order = None if order_by is None else parse_order(order_by)
        with self._database.read() as connection:
            return read_page(
                connection, name=name, condition=condition, order=order, limit=limit, after=last
            )

    def versions_frame(
        self,
        name: str | None = None,
        *,
        where: str | None = None,
        order_by: str | None = None,
        limit: int | None = None,
    ) -> "pyarrow.Table":
        """Return versions as a table in Arrow's format, which pandas, polars and DuckDB read.

        The arguments are those of `versions`. There is a row for each version, with its attributes
        and a column for each name of a mapping, such as ``metrics.accuracy`` and ``tags.team``.
        """
        return versions_frame(self.versions(name, where=where, order_by=order_by, limit=limit))

    def compare(self, first: VersionLike, second: VersionLike) -> Comparison:
        """Return the differences between two versions, given by reference.

        Raises
        ------
        NotFoundError
        """
        return compare(self.get(first), self.get(second))

    def load(self, reference: VersionLike) -> bytes:
        """Return the weights of a version, verified against their digest.

        Raises
        ------
        NotFoundError
        MissingBlobError, DamagedBlobError
        """
        return self._blobs.get(self.get(reference).sha256)

    def download(self, reference: VersionLike, file: str | PathLike[str]) -> ModelVersion:
        """Write the weights of a version, verified, to a file; return the version.

        Parameters
        ----------
        reference : str
        file : str or PathLike
            It is replaced if it exists.

        Raises
        ------
        NotFoundError
        MissingBlobError, DamagedBlobError
        UnavailableError
            If the file cannot be written.
        """
        version = self.get(reference)
        weights = self._blobs.get(version.sha256)
        try:
            with atomic_write(Path(file)) as temporary:
                temporary.write_bytes(weights)
        except OSError as error:
            raise UnavailableError(f"{file} cannot be written ({error.strerror}).") from error
        return version

    def alias(self, name: str, alias: str, *, at: datetime | None = None) -> Alias:
        """Return an alias: the version it points at, and its generation.

        Parameters
        ----------
        name : str
            Name of the model.
        alias : str
        at : datetime, optional
            Return the alias as it was at this time, which has a time zone; now by default.

        Raises
        ------
        NotFoundError
            If it is not set, or was not then.
        """
        model_name(name), alias_name(alias)
        with self._database.read() as connection:
            if at is None:
                found = find_alias(connection, name, alias)
            else:
                found = find_alias_at(connection, name, alias, to_microseconds(at))
        if found is None:
            text = None
            if at is not None:
                moment = f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
                text = f"{name}@{alias} was not set at {moment}."
            raise NotFoundError(f"{name}@{alias}", text)
        return found

    def set_alias(
        self,
        name: VersionLike,
        alias: str,
        number: int | None = None,
        *,
        expected: Alias | int | None = None,
        force: bool = False,
        reason: str | None = None,
    ) -> ModelVersion:
        """Point an alias at a version; return the version.

        Parameters
        ----------
        name : str, int, ModelVersion or Alias
            The version; or the name of its model, if the number is given.
        alias : str
        number : int, optional
            Number of the version.
        expected : Alias or int, optional
            The alias as `alias` returned it, or its generation; 0 if it should not be set. The
            move fails if another client has moved the alias since. By default it is moved
            unconditionally.
        force : bool, optional
            Let ``champion`` point at a version that did not pass a gate. The history records it.
        reason : str, optional
            Why it is moved, for the history.

        Raises
        ------
        NotFoundError
            If there is no such version. The alias stays as it was, as after every error.
        AliasMovedError
            If its generation is not the expected one.
        GateError
            If the alias is ``champion`` and the version did not pass its gate.
        ArchivedError
            If the version is archived.
        MissingBlobError, DamagedBlobError
            If its weights are missing or damaged.
        """
        settable_alias(alias)
        if reason is not None:
            validation.text("reason", reason)
        if number is not None:
            reference = Reference.parse(f"{model_name(name)}/{number}")
        else:
            reference = Reference.parse(self.get(name))
        # Before the transaction, because weights may come from far away. They cannot be removed
        # meanwhile: the version refers to them.
        self._require_weights(reference)
        generation = expected.generation if isinstance(expected, Alias) else expected
        with self._database.write() as connection:
            model_id = lock_model(connection, reference.name)
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

    def delete_alias(self, name: str, alias: str) -> None:
        """Delete an alias. Its version stays.

        Raises
        ------
        NotFoundError
            If it is not set.
        """
        model_name(name)
        alias_name(alias)
        with self._database.write() as connection:
            model_id = lock_model(connection, name)
            aliases.delete(connection, model_id, f"{name}@{alias}", actor=self._actor)

    def rollback(
        self,
        name: str,
        alias: str = CHAMPION,
        *,
        to: int | None = None,
        expected: Alias | int | None = None,
        reason: str | None = None,
    ) -> ModelVersion:
        """Point an alias back at its previous version; return the version.

        Repeated, it goes back one version further each time. The gate is not checked again; if the
        version had not passed it, the history records that it was forced.

        Parameters
        ----------
        name : str
            Name of the model.
        alias : str, optional
        to : int, optional
            Number of an earlier version of the alias to go back to.
        expected : Alias or int, optional
            The alias as `alias` returned it, or its generation. The rollback fails if another
            client has moved the alias since: of two rollbacks at once only one goes back.
        reason : str, optional
            Why, for the history.

        Raises
        ------
        NotFoundError
            If the alias has no previous version, or never pointed at `to`.
        AliasMovedError
            If its generation is not the expected one.
        ArchivedError
            If the previous version is archived.
        MissingBlobError, DamagedBlobError
            If its weights are missing or damaged. The alias stays as it was.
        """
        model_name(name)
        alias_name(alias)
        if reason is not None:
            validation.text("reason", reason)
        generation = expected.generation if isinstance(expected, Alias) else expected
        with self._database.write() as connection:
            model_id = lock_model(connection, name)
            aliases.require_generation(connection, f"{name}@{alias}", generation)
            reference = Reference(
                name, None, aliases.rollback_number(connection, model_id, f"{name}@{alias}", to)
            )
            version = require_version(connection, reference)
            self._blobs.get(version.sha256)
            aliases.move(
                connection,
                model_id,
                version,
                alias,
                kind=events.ALIAS_ROLLED_BACK,
                expected=generation,
                needs_gate=False,
                reason=reason,
                actor=self._actor,
            )
            return require_version(connection, reference)

    def protect(self, name: str, alias: str, approvals: int = 1) -> None:
        """Protect an alias: it moves only after others have approved what somebody proposed.

        Parameters
        ----------
        name : str
            Name of the model.
        alias : str
        approvals : int, optional
            How many others have to approve.

        Raises
        ------
        NotFoundError
            If there is no such model.
        ProtectedAliasError
            On PostgreSQL, if the database role does not own the tables.
        """
        settable_alias(alias)
        validation.count("approvals", approvals)
        if approvals > MAX_APPROVALS:
            raise InvalidArgumentError("approvals", f"at most {MAX_APPROVALS}", approvals)
        with self._database.write() as connection, protection.translated_errors(alias):
            model_id = lock_model(connection, model_name(name))
            four_eyes.protect(connection, model_id, alias, approvals, actor=self._actor)

    def unprotect(self, name: str, alias: str) -> None:
        """Remove the protection of an alias, and the proposals for it.

        Raises
        ------
        NotFoundError
            If it is not protected.
        ProtectedAliasError
            On PostgreSQL, if the database role does not own the tables.
        """
        alias_name(alias)
        with self._database.write() as connection, protection.translated_errors(alias):
            model_id = lock_model(connection, model_name(name))
            four_eyes.unprotect(connection, model_id, f"{name}@{alias}", actor=self._actor)

    def propose(
        self, reference: VersionLike, alias: str, *, force: bool = False, reason: str | None = None
    ) -> Proposal:
        """Propose a version for a protected alias; return the proposal.

        A version that is proposed already stays as it was proposed first.

        Parameters
        ----------
        reference : str
        alias : str
        force : bool, optional
            Propose a version for ``champion`` that did not pass its gate.
        reason : str, optional
            Why, for the history.

        Raises
        ------
        NotFoundError
            If there is no such version, or the alias is not protected.
        InvalidArgumentError
            If the registry was opened without an actor.
        ArchivedError, GateError
        """
        validation.optional_text("reason", reason)
        with self._locked(reference) as (connection, model_id, version):
            return four_eyes.propose(
                connection,
                model_id,
                version,
                alias_name(alias),
                force=force,
                reason=reason,
                actor=self._actor,
            )

    def approve(self, reference: VersionLike, alias: str, *, reason: str | None = None) -> Proposal:
        """Approve a proposed version; return the proposal.

        The last approval that is needed moves the alias, and makes other proposals void.

        Parameters
        ----------
        reference : str
        alias : str
        reason : str, optional
            Why, for the history.

        Raises
        ------
        NotFoundError
            If there is no such version, or it is not proposed for the alias.
        InvalidArgumentError
            If the registry was opened without an actor.
        ApprovalError
            If the same person proposed or approved it.
        ProtectedAliasError
            On PostgreSQL, if the database role may not approve.
        ArchivedError, GateError
        MissingBlobError, DamagedBlobError
        """
        validation.optional_text("reason", reason)
        # The alias may move: its weights have to be there.
        self.load(reference)
        with self._locked(reference) as (connection, model_id, version):
            return four_eyes.approve(
                connection,
                model_id,
                version,
                alias_name(alias),
                reason=reason,
                actor=self._actor,
            )

    def proposals(self, name: str) -> list[Proposal]:
        """Return the open proposals for the protected aliases of a model, oldest first.

        Raises
        ------
        NotFoundError
            If there is no such model.
        """
        model_name(name)
        with self._database.read() as connection:
            return four_eyes.read_proposals(connection, require_model(connection, name), name)

    def tag(self, reference: VersionLike, tags: Mapping[str, str]) -> ModelVersion:
        """Set tags of a version after its registration; return the version.

        Raises
        ------
        NotFoundError
        InvalidArgumentError
            If a name or a value is outside its domain. Nothing is changed.
        """
        with self._locked(reference) as (connection, model_id, version):
            annotations.add_tags(connection, model_id, version, tags, actor=self._actor)
            return require_version(connection, Reference.parse(version.reference))

    def untag(self, reference: VersionLike, *names: str) -> ModelVersion:
        """Remove tags of a version; return the version.

        Raises
        ------
        NotFoundError
            If there is no such version, or it has no such tag.
        """
        with self._locked(reference) as (connection, model_id, version):
            annotations.remove_tags(connection, model_id, version, names, actor=self._actor)
            return require_version(connection, Reference.parse(version.reference))

    def describe(self, reference: VersionLike, description: str | None) -> ModelVersion:
        """Set the description of a version, or remove it; return the version.

        Raises
        ------
        NotFoundError
        """
        text = validation.optional_text("description", description) or None
        with self._locked(reference) as (connection, model_id, version):
            annotations.describe_version(connection, model_id, version, text, actor=self._actor)
            return require_version(connection, Reference.parse(version.reference))

    def describe_model(self, name: str, description: str | None) -> RegisteredModel:
        """Set the description of a model, or remove it; return the model.

        Raises
        ------
        NotFoundError
        """
        text = validation.optional_text("description", description) or None
        with self._database.write() as connection:
            model_id = lock_model(connection, model_name(name))
            annotations.describe_model(connection, model_id, text, actor=self._actor)
            return read_models(connection, name)[0]

    def models(self) -> list[RegisteredModel]:
        """Return the registered models, sorted by name."""
        with self._database.read() as connection:
            return read_models(connection)

    def archive(self, reference: VersionLike) -> ModelVersion:
        """Archive a version and return it. It is kept, but no alias can point at it.

        Raises
        ------
        NotFoundError
        VersionInUseError
            If an alias points at it.
        """
        return self._set_state(reference, ARCHIVED, events.ARCHIVED)

    def restore(self, reference: VersionLike) -> ModelVersion:
        """Make an archived version ready again; return it.

        Raises
        ------
        NotFoundError
        """
        return self._set_state(reference, READY, events.RESTORED)

    def delete(self, reference: VersionLike, *, reason: str | None = None) -> DeletionResult:
        """Delete a version, and its weights if no other version has the same ones.

        Its events stay in the history, and its number is never assigned again.

        Parameters
        ----------
        reference : str
        reason : str, optional
            Why it is deleted, for the history.

        Raises
        ------
        NotFoundError
        VersionInUseError
            If an alias points at it or would after a rollback, or it is the only version.
        """
        if reason is not None:
            validation.text("reason", reason)
        parsed = self._reference(reference)
        return delete_version(self._database, self._blobs, parsed, reason=reason, actor=self._actor)

    def prune(
        self,
        name: str,
        *,
        keep: int,
        older_than: timedelta | None = None,
        reason: str | None = None,
        dry_run: bool = False,
    ) -> DeletionResult:
        """Delete the older versions of a model, and their weights.

        Versions that an alias points at or would after a rollback stay in any case.

        Parameters
        ----------
        name : str
            Name of the model.
        keep : int
            The versions with the highest numbers that stay, at least 1.
        older_than : timedelta, optional
            Minimum age of what is deleted.
        reason : str, optional
            Why they are deleted, for the history.
        dry_run : bool, optional
            Delete nothing, and return what would be deleted.

        Raises
        ------
        NotFoundError
            If there is no such model.
        """
        validation.count("keep", keep)
        if reason is not None:
            validation.text("reason", reason)
        return prune(
            self._database,
            self._blobs,
            model_name(name),
            keep=keep,
            before=None if older_than is None else now() - older_than // timedelta(microseconds=1),
            reason=reason,
            dry_run=dry_run,
            actor=self._actor,
        )

    def history(
        self,
        name: str,
        *,
        alias: str | None = None,
        number: int | None = None,
        kind: str | None = None,
        limit: int | None = None,
        before: int | None = None,
    ) -> list[Event]:
        """Return the events of a model, newest first.

        Parameters
        ----------
        name : str
        alias : str, optional
            Return only the events of this alias.
        number : int, optional
            Return only the events of the version with this number.
        kind : str, optional
            Return only events of this kind, such as ``refused``.
        limit : int, optional
            Maximum number of events.
        before : int, optional
            Return only events with a smaller `seq`.

        Raises
        ------
        NotFoundError
            If there is no such model.
        """
        validation.count("limit", limit)
        validation.count("before", before)
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
        if number is not None:
            query = query.where(columns.number == number)
        if kind is not None:
            query = query.where(columns.kind == kind)
        if before is not None:
            query = query.where(columns.seq < before)
        with self._database.read() as connection:
            require_model(connection, name)
            return [events.Entry._make(row).event(name) for row in connection.execute(query)]

    def metric_history(self, name: str, metric: str) -> list[MetricValue]:
        """Return a metric of all versions of a model that have it, by number.

        Parameters
        ----------
        name : str
        metric : str

        Raises
        ------
        NotFoundError
            If there is no such model.
        """
        model_name(name)
        with self._database.read() as connection:
            return read_metric(connection, require_model(connection, name), metric)

    def verify(
        self, reference: VersionLike | None = None, *, keys: str | PathLike[str] | None = None
    ) -> Iterator[Finding]:
        """Yield the problems of one version, or of the whole registry.

        The database, the chain of events of every model, and every blob are checked, and whether
        versions, details and aliases agree with the events. Files that killed writers left are
        warnings: they affect no version.

        Parameters
        ----------
        reference : str, optional
            Check only this version and the chain of its model.
        keys : str or PathLike, optional
            File of public keys, a line ``ssh-ed25519 KEY NAME`` for each person. Every event, or
            every event about the version, must be signed by the person that it names.

        Raises
        ------
        NotFoundError
        KeyFileError
        """
        trusted = None if keys is None else _trusted_keys(keys)
        parsed = None if reference is None else self._reference(reference)
        if parsed is not None:
            with self._database.read() as connection:
                parsed = Reference(parsed.name, None, require_number(connection, parsed))
        return verify(self._database, self._blobs, parsed, trusted)

    def gc(
        self,
        *,
        grace: timedelta = timedelta(hours=1),
        unknown: bool = False,
        dry_run: bool = False,
    ) -> GCResult:
        """Collect garbage: remove blobs without a version, and files that killed writers left.

        Parameters
        ----------
        grace : timedelta
            Minimum age of what is removed. Registrations in progress are safe with any value; a
            grace period only saves them from storing their weights twice.
        unknown : bool, optional
            Also remove blobs that no version of this registry ever had. Killed registrations leave
            them, but after the database was restored from a backup, they can be the only copy of
            what was registered since.
        dry_run : bool, optional
            Remove nothing, and return what would be removed.

        Raises
        ------
        SharedStoreError
            If another registry uses the same blob store. Nothing is removed.
        """
        before = time.time() - grace.total_seconds()
        return collect_garbage(
            self._database, self._blobs, before, unknown=unknown, dry_run=dry_run
        )

    def record_batch(self, record: BatchRecord, *, key: str) -> Batch:
        """Record a scored batch, and return it.

        If a distribution of it drifted beyond its limit, a message is written with it.

        Parameters
        ----------
        record : BatchRecord
        key : str
            A SHA-256 in hexadecimal that identifies the batch. Recording it again replaces the
            record, and keeps its id and time.

        Raises
        ------
        InvalidArgumentError
            If a value is outside its domain. Nothing is stored.
        """
        with self._database.write() as connection:
            return batches.record(connection, record, key)

    def label_batch(self, batch_id: int, labels: AgreedLabels) -> Batch:
        """Set the labels that people agreed on for images of a batch; return the batch.

        They replace those that were known before.

        Raises
        ------
        NotFoundError
        InvalidArgumentError
        """
        with self._database.write() as connection:
            return batches.add_labels(connection, batch_id, labels)

    def batch(self, batch_id: int) -> Batch:
        """Return the scored batch with an id.

        Raises
        ------
        NotFoundError
        """
        with self._database.read() as connection:
            return batches.find(connection, batch_id)

    def batches(
        self,
        name: str | None = None,
        *,
        number: int | None = None,
        since: datetime | None = None,
        drifted: bool = False,
        limit: int | None = None,
        before: int | None = None,
    ) -> list[Batch]:
        """Return the scored batches, the newest first.

        Parameters
        ----------
        name : str, optional
            Only those that versions of this model scored.
        number : int, optional
            Only those that versions with this number scored.
        since : datetime, optional
            Only those from this time on, which has a time zone.
        drifted : bool, optional
            Only those with a distribution beyond its limit.
        limit : int, optional
            Maximum number of batches.
        before : int, optional
            Id of the last batch of the previous page.
        """
        validation.count("limit", limit)
        if name is not None:
            model_name(name)
        with self._database.read() as connection:
            return batches.read(
                connection,
                name,
                number=number,
                since=since,
                drifted=drifted,
                limit=limit,
                before=before,
            )

    def export(self, selection: str, file: str | PathLike[str]) -> tuple[str, ...]:
        """Write versions with their weights and history to a file; return their references.

        Parameters
        ----------
        selection : str
            A version (``name/number`` or ``name@alias``), or the name of a model for all of it.
        file : str or PathLike
            It is replaced if it exists; a pipe or a device is written to, such as
            ``/dev/stdout``.

        Raises
        ------
        NotFoundError
        MissingBlobError, DamagedBlobError
        DamagedHistoryError
        """
        return export_versions(self._database, self._blobs, selection, Path(file))

    def copy(
        self, reference: VersionLike, *, to: "Registry | None" = None, name: str | None = None
    ) -> ModelVersion:
        """Copy a version to another model or another registry; return the copy.

        It has the next number there, and the same weights, metrics, gate, tags and description.
        Its `origin` says where it was first registered. Repeating the copy returns the first one.

        Parameters
        ----------
        reference : str
        to : Registry, optional
            The registry to copy it to; this one by default.
        name : str, optional
            Name of the model there; the same by default.

        Raises
        ------
        NotFoundError
        InvalidArgumentError
            If the copy would be in the same model of the same registry.
        MissingBlobError, DamagedBlobError
        """
        target = self if to is None else to
        version = self.get(reference)
        copied = copy_version(
            (self._database, self._blobs),
            Reference.parse(version.reference),
            (target._database, target._blobs),
            version.name if name is None else model_name(name),
            actor=target._actor,
        )
        if version.description is None or copied.description is not None:
            return copied
        return target.describe(copied.reference, version.description)

    def backup(self, file: str | PathLike[str]) -> None:
        """Write a copy of the database to a file, consistent although others use it.

        Copying the file of a database in use would leave out its last changes. The weights are
        not in the copy: they are files that never change, so they can be copied at any time,
        after the database.

        Parameters
        ----------
        file : str or PathLike
            It is replaced if it exists.

        Raises
        ------
        InvalidArgumentError
            If it is the database itself.
        UnsupportedError
            If the database is not a file; its server has tools for that.
        """
        self._database.back_up(Path(file))

    def import_(self, file: str | PathLike[str]) -> ImportResult:
        """Add the versions of an export, under their numbers.

        If the file holds a complete model that the registry does not have, the model is added with
        its history and aliases. Otherwise only versions are added, and aliases stay. Versions that
        the registry already has are skipped.

        Raises
        ------
        ArchiveError
            If the file is not an export, or is damaged.
        CollisionError
            If other versions have these numbers. Nothing is imported.
        """
        return import_versions(self._database, self._blobs, Path(file), actor=self._actor)

    def _reference(self, reference: VersionLike) -> Reference:
        return Reference.parse(reference, self._default_model)

    @contextlib.contextmanager
    def _locked(self, reference: VersionLike) -> Iterator[tuple[Connection, int, ModelVersion]]:
        """Open a transaction that changes a version; yield it, the model's id, and the version."""
        parsed = self._reference(reference)
        with self._database.write() as connection:
            model_id = lock_model(connection, parsed.name)
            yield connection, model_id, require_version(connection, parsed)

    def _require_weights(self, reference: Reference) -> None:
        """Raise an error if the weights of a version, if there is one, cannot be trusted."""
        with self._database.read() as connection:
            version = find_version(connection, reference)
        if version is not None:
            self._blobs.get(version.sha256)

    def _set_state(self, reference: VersionLike, state: str, kind: str) -> ModelVersion:
        parsed = Reference.parse(self.get(reference).reference)
        with self._database.write() as connection:
            model_id = lock_model(connection, parsed.name)
            version = require_version(connection, parsed)
            if state == ARCHIVED and version.aliases:
                use = ", ".join(f"{version.name}@{alias}" for alias in version.aliases)
                raise VersionInUseError(version.reference, use, "archived")
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


def _content(weights: bytes | str | PathLike[str]) -> bytes:
    if not isinstance(weights, str | PathLike):
        return validation.weights(weights)
    try:
        return Path(weights).read_bytes()
    except OSError as error:
        raise InvalidArgumentError(
            "weights", f"bytes or a file ({error.strerror})", str(weights)
        ) from None


def _signing_key(file: str | PathLike[str]) -> EventSigner:
    # Most registries need no cryptography, which takes a while to import.
    from registry.signing import SigningKey

    return SigningKey.read(Path(file))


def _trusted_keys(file: str | PathLike[str]) -> "TrustedKeys":
    from registry.signing import TrustedKeys

    return TrustedKeys(Path(file))
