"""Moving versions between registries: a tar file of events and weights.

Its first member is ``manifest.json``: the model, and its events as their table holds them, all
of them or those of the chosen versions. After it come the weights, as ``blobs/<sha256>``. What
a file claims is believed only as far as digests and hashes bear it out.
"""

import contextlib
import hashlib
import io
import json
import os
import tarfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from registry import details, events, registration, schema
from registry.blobs import Blobs
from registry.blobs.base import is_digest
from registry.databases import Database
from registry.details import Document, canonical
from registry.errors import (
    ArchiveError,
    CollisionError,
    DamagedHistoryError,
    InvalidArgumentError,
    NotFoundError,
    UnavailableError,
)
from registry.events import Entry, Replay
from registry.queries import WHAT_THERE_IS, lock_model, model_id_of, require_version
from registry.records import HIGHEST, LATEST, Imported, Reference, alias_name, model_name, now

FORMAT = "digits-registry-export"
FORMAT_VERSION = 1

_MANIFEST = "manifest.json"
_BIGGEST_MANIFEST = 1 << 30


def write(database: Database, blobs: Blobs, selection: str, file: str | Path) -> tuple[str, ...]:
    """Write versions with weights and history to a file; return their references."""
    with database.read() as connection:
        name, number = _selected(connection, selection)
        model = connection.execute(
            sa.select(schema.models).where(schema.models.c.name == name)
        ).one_or_none()
        if model is None:
            raise NotFoundError(f"model {name}", WHAT_THERE_IS)
        conditions = [] if number is None else [schema.events.c.number == number]
        chain = list(events.entries(connection, model.id, *conditions))
    replay = Replay(chain)
    documents = replay.documents
    if replay.unreadable or any(e.hash != e.expected_hash(name) for e in chain):
        raise DamagedHistoryError(
            f"The history of {name} was edited, and nobody could import it. `digits verify` says "
            "where; restore the database from a backup."
        )
    manifest = {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "model": name,
        "complete": number is None,
        "events": chain,
    }
    path = Path(file)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with temporary.open("wb") as output:
            with tarfile.open(fileobj=output, mode="w") as archive:
                _add(archive, _MANIFEST, json.dumps(manifest).encode())
                for sha256 in sorted({document["sha256"] for _, document in documents.values()}):
                    _add(archive, f"blobs/{sha256}", blobs.get(sha256))
            output.flush()
            os.fsync(output.fileno())
        temporary.replace(path)
    except OSError as error:
        raise UnavailableError(f"{path} cannot be written ({error.strerror}).") from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
    return tuple(f"{name}/{number}" for number in sorted(documents))


def read(database: Database, blobs: Blobs, file: str | Path, *, actor: str) -> Imported:
    """Add the versions of a file, all of them or none."""
    path = Path(file)
    try:
        with (
            _Reader(io.FileIO(path)) as file_,
            tarfile.open(fileobj=file_, mode="r:") as archive,
        ):
            contents = _manifest(archive)
            with database.read() as connection:
                _Plan(connection, contents)
            _store(archive, blobs, contents)
    except (tarfile.TarError, ValueError, OverflowError, EOFError) as error:
        raise ArchiveError(f"{path} is not an export, or is damaged ({error}).") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise UnavailableError(f"{path} cannot be read ({reason}).") from error
    with database.write() as connection:
        registration.create_model(connection, contents.name)
        model_id = lock_model(connection, contents.name)
        plan = _Plan(connection, contents)
        for _, document in contents.replay.documents.values():
            if not blobs.has(document["sha256"]):
                raise UnavailableError(
                    f"The weights {document['sha256']} were removed while they were imported. "
                    "Import again."
                )
        if plan.is_whole:
            _add_whole(connection, model_id, contents)
        else:
            _add_versions(connection, model_id, contents, plan.added, actor)
    return plan.outcome


class _Reader(io.BufferedReader):
    """A file of which never more is asked than it has: a header can claim any size."""

    def read(self, size: int | None = -1, /) -> bytes:
        """Read some bytes, or all that are left."""
        if size is not None:
            size = min(size, os.fstat(self.fileno()).st_size)
        return super().read(size)


@dataclass(frozen=True, slots=True)
class _Contents:
    """What a file holds, checked but for the weights."""

    name: str
    complete: bool
    chain: list[Entry]
    replay: Replay


class _Plan:
    """What an import will do, as the registry is now.

    Raises
    ------
    CollisionError
    """

    def __init__(self, connection: Connection, contents: _Contents) -> None:
        columns = schema.versions.c
        model = columns.model_id == model_id_of(contents.name)
        documents = contents.replay.documents
        keys = [d["idempotency_key"] for _, d in documents.values() if d["idempotency_key"]]
        held = _documents(connection, model)
        taken = {document["idempotency_key"]: number for number, document in held.items()}
        collisions = {n for n, (_, d) in documents.items() if n in held and held[n] != d}
        collisions |= {
            number
            for number, (_, document) in documents.items()
            if document["idempotency_key"] in keys
            and taken.get(document["idempotency_key"], number) != number
        }
        if collisions:
            raise CollisionError(tuple(f"{contents.name}/{n}" for n in sorted(collisions)))
        self.added = sorted(documents.keys() - held.keys())
        self.is_whole = contents.complete and not held
        self.outcome = Imported(
            added=tuple(f"{contents.name}/{number}" for number in self.added),
            present=tuple(f"{contents.name}/{n}" for n in sorted(documents.keys() & held.keys())),
        )


def _documents(connection: Connection, condition: sa.ColumnElement[bool]) -> dict[int, Document]:
    """Return what is recorded of the versions of a model, by number."""
    versions, happened = schema.versions.c, schema.events.c
    rows = connection.execute(
        sa.select(versions.number, happened.body)
        .join(
            schema.events,
            sa.and_(happened.model_id == versions.model_id, happened.seq == versions.event_seq),
        )
        .where(condition)
    )
    return {number: events.read_body(body)["version"] for number, body in rows}


def _add_whole(connection: Connection, model_id: int, contents: _Contents) -> None:
    """Add a model as it was: its chain of events, and what they come to."""
    replay, last = contents.replay, contents.chain[-1]
    connection.execute(
        sa.insert(schema.events),
        [{"model_id": model_id, **entry._asdict()} for entry in contents.chain],
    )
    connection.execute(
        sa.update(schema.models)
        .where(schema.models.c.id == model_id)
        .values(
            next_version=max(replay.documents) + 1,
            next_event=last.seq + 1,
            event_head=last.hash,
            event_at=last.at,
        )
    )
    for number, (seq, document) in sorted(replay.documents.items()):
        state = replay.state_of(number)
        registration.insert(connection, model_id, number, state, document, seq)
    for alias, entry in replay.aliases.items():
        connection.execute(
            sa.insert(schema.aliases).values(
                model_id=model_id,
                alias=alias,
                number=entry.number,
                generation=entry.seq,
                updated_at=entry.at,
            )
        )


def _add_versions(
    connection: Connection, model_id: int, contents: _Contents, numbers: Iterable[int], actor: str
) -> None:
    """Add versions to a model that has events of its own; each brings those that were its own."""
    models = schema.models
    for number in numbers:
        _, document = contents.replay.documents[number]
        source = [entry for entry in contents.chain if entry.number == number]
        body = {"version": document, "source": source}
        entry = events.append(
            connection, model_id, events.IMPORTED, body, at=now(), actor=actor, number=number
        )
        state = contents.replay.state_of(number)
        registration.insert(connection, model_id, number, state, document, entry.seq)
        if number in contents.replay.archived:
            events.append(
                connection, model_id, events.ARCHIVED, {}, at=now(), actor=actor, number=number
            )
        connection.execute(
            sa.update(models)
            .where(models.c.id == model_id, models.c.next_version <= number)
            .values(next_version=number + 1)
        )


def _manifest(archive: tarfile.TarFile) -> _Contents:
    """Return what a file says it holds.

    Raises
    ------
    ArchiveError
        Where it says nothing that an export would.
    """
    first = archive.next()
    is_manifest = first is not None and first.name == _MANIFEST and not first.issparse()
    if first is None or not is_manifest or not 0 < first.size <= _BIGGEST_MANIFEST:
        raise ArchiveError("This is not an export of a registry: it does not begin as one.")
    try:
        manifest = json.loads(_contents_of(archive, first))
        if manifest["format"] != FORMAT:
            raise ArchiveError(f"Expected the format {FORMAT}, got {manifest['format']!r}.")
        if manifest["format_version"] != FORMAT_VERSION:
            raise ArchiveError(
                f"This export has format version {manifest['format_version']!r}; this release of "
                f"digits reads {FORMAT_VERSION}. Upgrade digits to import it."
            )
        name = model_name(manifest["model"])
        chain = [_entry(fields) for fields in manifest["events"]]
        contents = _Contents(name, manifest["complete"] is True, chain, Replay(chain))
        _check(contents)
    except (
        *(ValueError, KeyError, TypeError, AttributeError, RecursionError),
        DamagedHistoryError,
    ) as error:
        raise ArchiveError(f"The export is damaged: its manifest is not valid ({error}).") from None
    return contents


def _entry(fields: Any) -> Entry:
    entry = Entry(*fields)
    types = (int, int, str, str, str | None, int | None, str, str, str)
    for value, expected in zip(entry, types, strict=True):
        if not isinstance(value, expected) or isinstance(value, bool):
            raise ArchiveError(f"The export is damaged: event {entry.seq!r} is not one.")
    is_of_alias = entry.kind in events.ALIAS_KINDS
    has_number = entry.kind not in events.NUMBERLESS_KINDS
    if (
        not 1 <= entry.seq < 1 << 31
        or not 0 <= entry.at <= LATEST
        or entry.kind not in events.KINDS
        or (entry.alias is not None) != is_of_alias
        or (entry.number is not None) != has_number
        or not 1 <= (entry.number or 1) <= HIGHEST
    ):
        raise ArchiveError(f"The export is damaged: event {entry.seq} is out of bounds.")
    details.text("actor", entry.actor, schema.NAME_LIMIT)
    if entry.alias is not None:
        alias_name(entry.alias)
    events.read_body(entry.body)
    return entry


def _check(contents: _Contents) -> None:
    """Hold what a file says against its own hashes, and against the rules for versions."""
    chain, documents = contents.chain, contents.replay.documents
    if not documents or contents.replay.unreadable:
        raise ArchiveError("The export is damaged: its events register no version.")
    if contents.complete:
        wrong = list(events.broken(contents.name, chain, head=chain[-1].hash, length=chain[-1].seq))
    else:
        wrong = [
            f"event {entry.seq} was edited"
            for entry in chain
            if entry.hash != entry.expected_hash(contents.name)
        ]
    for _, document in documents.values():
        _check_document(document)
    wrong += _contradictions(contents)
    if wrong:
        raise ArchiveError(f"The export is damaged: {'; '.join(wrong[:5])}.")


def _contradictions(contents: _Contents) -> Iterator[str]:
    """Say what no registry would hold at once."""
    chain, replay = contents.chain, contents.replay
    documents = [document for _, document in replay.documents.values()]
    if len(documents) != sum(entry.kind in events.VERSION_KINDS for entry in chain):
        yield "a version is registered twice"
    keys = [document["idempotency_key"] for document in documents if document["idempotency_key"]]
    if len(keys) != len(set(keys)):
        yield "two versions have one idempotency key"
    sizes = {document["sha256"]: document["size"] for document in documents}
    if any(sizes[document["sha256"]] != document["size"] for document in documents):
        yield "the same weights have two sizes"
    if any(earlier.at > later.at for earlier, later in pairwise(chain)):
        yield "events are not in the order of their times"
    if contents.complete:
        if {entry.number for entry in chain} - {None, *replay.documents}:
            yield "it tells of a version that it has not"
        if replay.archived.intersection(entry.number for entry in replay.aliases.values()):
            yield "an alias is at an archived version"


def _check_document(document: Document) -> None:
    """Refuse a document that no registration would have written."""
    rest = dict(document)
    weights = {name: rest.pop(name) for name in ("sha256", "size", "created_at", "created_by")}
    details.digest("sha256", weights["sha256"])
    for name, most in (("size", (1 << 62) - 1), ("created_at", LATEST)):
        if type(weights[name]) is not int or not 0 <= weights[name] <= most:
            raise InvalidArgumentError(name, "a whole number", weights[name])
    if weights["created_by"] is not None:
        details.text("created_by", weights["created_by"], schema.NAME_LIMIT)
    gate = details.checks_of(rest["gate"])
    # Not only equal: as JSON the same, for that is what hashes and tables are made of.
    if canonical(details.document_of(**{**rest, "gate": gate})) != canonical(rest):
        raise ArchiveError("The export is damaged: it holds a version that is not valid.")


def _store(archive: tarfile.TarFile, blobs: Blobs, contents: _Contents) -> None:
    """Store the weights of a file, each held against its digest."""
    sizes: Mapping[str, int] = {
        document["sha256"]: document["size"] for _, document in contents.replay.documents.values()
    }
    missing = set(sizes)
    while (member := archive.next()) is not None:
        sha256 = member.name.removeprefix("blobs/")
        is_file = member.isreg() and not member.issparse()
        if not is_digest(sha256) or sizes.get(sha256) != member.size or not is_file:
            raise ArchiveError("The export is damaged: it holds something it does not tell of.")
        weights = _contents_of(archive, member)
        if hashlib.sha256(weights).hexdigest() != sha256:
            raise ArchiveError(f"The export is damaged: its weights {sha256} are others.")
        blobs.put(weights)
        missing.discard(sha256)
    if missing:
        raise ArchiveError(f"The export is damaged: it lacks the weights {min(missing)}.")


def _contents_of(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    stream = archive.extractfile(member)
    found = stream.read() if stream is not None else b""
    if len(found) != member.size:
        raise ArchiveError("The export is damaged: it was cut short.")
    return found


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    archive.addfile(member, io.BytesIO(data))


def _selected(connection: Connection, selection: str) -> tuple[str, int | None]:
    """Return the model, and the version if it is one that is meant."""
    if "@" not in selection and "/" not in selection:
        return model_name(selection), None
    found = require_version(connection, Reference.parse(selection))
    return found.name, found.number
