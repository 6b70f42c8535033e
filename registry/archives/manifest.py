"""The manifest of an export: a model and its events, validated.

A manifest that another registry wrote is checked against its own hashes, and against the rules
that every registry follows.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from registry import documents, events, schema, validation
from registry.documents import Document, canonical_json
from registry.errors import ArchiveError, DamagedHistoryError, InvalidArgumentError
from registry.events import Entry
from registry.records import MAX_APPROVALS, RunRecord
from registry.references import MAX_NUMBER, alias_name, model_name
from registry.replay import Replay
from registry.times import MAX_TIME

FORMAT = "digits-registry-export"
FORMAT_VERSION = 1

_MAX_SIZE = (1 << 62) - 1
_ENTRY_TYPES = (
    *(int, int, str, str, str | None, int | None, str, str, str),
    *(str | None, str | None),
)


@dataclass(frozen=True, slots=True)
class Manifest:
    """A model and its events."""

    name: str
    """Name of the model."""
    complete: bool
    """Whether these are all events of the model, or only those of some versions."""
    chain: list[Entry]
    """The events, oldest first."""
    replay: Replay
    """The state of the model after these events."""

    @property
    def documents(self) -> dict[int, Document]:
        """The documents of the versions, by number."""
        return {number: document for number, (_, document) in self.replay.documents.items()}

    @property
    def sizes(self) -> dict[str, int]:
        """The size in bytes of each version's weights, by SHA-256."""
        return {document["sha256"]: document["size"] for document in self.documents.values()}

    def to_json(self) -> bytes:
        """Return the manifest as a file holds it."""
        content = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "model": self.name,
            "complete": self.complete,
            # Unsigned events are written as earlier releases write them.
            "events": [
                entry if entry.signature is not None else entry.unsigned for entry in self.chain
            ],
        }
        return json.dumps(content).encode()


def parse_manifest(data: bytes) -> Manifest:
    """Parse and validate the manifest of a file.

    Raises
    ------
    ArchiveError
    """
    try:
        content = json.loads(data)
        if content["format"] != FORMAT:
            raise ArchiveError(f"Expected the format {FORMAT}, got {content['format']!r}.")
        if content["format_version"] != FORMAT_VERSION:
            raise ArchiveError(
                f"This export has format version {content['format_version']!r}; this release "
                f"reads {FORMAT_VERSION}. Upgrade to a newer release to import it."
            )
        name = model_name(content["model"])
        chain = [_parse_entry(fields) for fields in content["events"]]
        manifest = Manifest(name, content["complete"] is True, chain, Replay(chain))
        _validate(manifest)
    except (
        *(ValueError, KeyError, TypeError, AttributeError, RecursionError),
        DamagedHistoryError,
    ) as error:
        raise ArchiveError(f"The export is damaged: its manifest is not valid ({error}).") from None
    return manifest


def _parse_entry(fields: Any) -> Entry:
    entry = Entry(*fields)
    for value, expected in zip(entry, _ENTRY_TYPES, strict=True):
        if not isinstance(value, expected) or isinstance(value, bool):
            raise ArchiveError(f"The export is damaged: event {entry.seq!r} has a wrong type.")
    is_of_alias = entry.kind in events.ALIAS_KINDS | events.PROTECTION_KINDS
    has_number = entry.kind not in events.NUMBERLESS_KINDS
    if (
        not 1 <= entry.seq < 1 << 31
        or not 0 <= entry.at <= MAX_TIME
        or entry.kind not in events.KINDS
        or (entry.alias is not None) != is_of_alias
        or (entry.number is not None) != has_number
        or not 1 <= (entry.number or 1) <= MAX_NUMBER
    ):
        raise ArchiveError(f"The export is damaged: event {entry.seq} is out of bounds.")
    validation.text("actor", entry.actor, schema.NAME_LIMIT)
    if entry.alias is not None:
        alias_name(entry.alias)
    for name, value, length in (
        ("signature", entry.signature, 128),
        ("key_id", entry.key_id, 64),
    ):
        if value is not None:
            validation.text(name, value, length)
    events.parse_body(entry.body)
    return entry


def _validate(manifest: Manifest) -> None:
    """Check a manifest against its own hashes, and against the rules for versions."""
    name, chain = manifest.name, manifest.chain
    # A model may have refused candidates only, but a selection is of versions.
    is_empty = not (chain if manifest.complete else manifest.documents)
    if is_empty or manifest.replay.unreadable:
        raise ArchiveError("The export is damaged: its events register no version.")
    if manifest.complete:
        last = chain[-1]
        problems = list(events.chain_problems(name, chain, head=last.hash, length=last.seq))
    else:
        problems = [
            f"event {entry.seq} was edited"
            for entry in chain
            if entry.hash != entry.expected_hash(name)
        ]
    for document in manifest.documents.values():
        _validate_document(document)
    for annotations in manifest.replay.annotations.values():
        documents.to_tags(annotations.tags or {})
        validation.optional_text("description", annotations.description)
    validation.optional_text("description", manifest.replay.description)
    for needed in manifest.replay.protected.values():
        if type(needed) is not int or not 1 <= needed <= MAX_APPROVALS:
            raise InvalidArgumentError("approvals", "a whole number", needed)
    for approvals in manifest.replay.approvals.values():
        for entry in approvals:
            validation.text("approver", events.approved_by(entry), schema.NAME_LIMIT)
            validation.optional_text("reason", events.parse_body(entry.body).get("reason"))
    problems += _contradictions(manifest)
    if problems:
        raise ArchiveError(f"The export is damaged: {'; '.join(problems[:5])}.")


def _contradictions(manifest: Manifest) -> Iterator[str]:
    """Yield statements that cannot be true of one registry."""
    chain, replay = manifest.chain, manifest.replay
    versions = list(manifest.documents.values())
    registrations = sum(entry.kind in events.VERSION_KINDS for entry in chain)
    if len(replay.numbers) != registrations or replay.deleted & replay.documents.keys():
        yield "a version is registered twice, or deleted without being registered"
    keys = [document["idempotency_key"] for document in versions if document["idempotency_key"]]
    if len(keys) != len(set(keys)):
        yield "two versions have the same idempotency key"
    sizes = manifest.sizes
    if any(sizes[document["sha256"]] != document["size"] for document in versions):
        yield "the same weights have two sizes"
    if any(earlier.at > later.at for earlier, later in pairwise(chain)):
        yield "events are not in the order of their times"
    if manifest.complete:
        if {entry.number for entry in chain} - {None, *replay.numbers}:
            yield "an event is about a version that is missing"
        if replay.archived.intersection(entry.number for entry in replay.aliases.values()):
            yield "an alias points at an archived version"


def _validate_document(document: Document) -> None:
    """Refuse a document that no registration would have written."""
    run = dict(document)
    added = {name: run.pop(name) for name in ("sha256", "size", "created_at", "created_by")}
    validation.digest("sha256", added["sha256"])
    for name, most in (("size", _MAX_SIZE), ("created_at", MAX_TIME)):
        if type(added[name]) is not int or not 0 <= added[name] <= most:
            raise InvalidArgumentError(name, "a whole number", added[name])
    if added["created_by"] is not None:
        validation.text("created_by", added["created_by"], schema.NAME_LIMIT)
    _validate_origin(run.pop("origin", None))
    fields = {**run, "gate": documents.to_checks(run["gate"])}
    key = fields.pop("idempotency_key")
    # Equal values are not enough: hashes and tables are made from the JSON.
    if canonical_json(documents.to_document(RunRecord(**fields), key)) != canonical_json(run):
        raise ArchiveError("The export is damaged: one of its versions is not valid.")


def _validate_origin(document: Document | None) -> None:
    if document is None:
        return
    created_at = document["created_at"]
    if type(created_at) is not int or not 0 <= created_at <= MAX_TIME:
        raise InvalidArgumentError("origin.created_at", "a whole number", created_at)
    origin = documents.to_origin(document)
    if origin is None or documents.origin_document(origin) != document:
        raise ArchiveError("The export is damaged: the origin of a version is not valid.")
