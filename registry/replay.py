"""The state of a model that its events lead to."""

from collections.abc import Iterable
from typing import NamedTuple

from registry import records
from registry.documents import Document
from registry.errors import DamagedHistoryError
from registry.events import (
    ALIAS_REMOVED,
    ARCHIVED,
    DELETED,
    DESCRIBED,
    MODEL_DESCRIBED,
    PROPOSED,
    PROTECTED,
    PROTECTION_KINDS,
    RESTORED,
    TAGGED,
    UNPROTECTED,
    VERSION_KINDS,
    Entry,
    parse_body,
)


class Annotations(NamedTuple):
    """What was added to a version after its registration."""

    tags: dict[str, str] | None = None
    """All its tags, if they were changed."""
    description: str | None = None


NO_ANNOTATIONS = Annotations()


class Replay:
    """The state of a model after all events of a chain.

    Attributes
    ----------
    documents : dict of int to (int, dict)
        For each version that was not deleted, by number: the `seq` of the event that registered
        it, and its document.
    deleted : set of int
        Numbers of the deleted versions.
    archived : set of int
        Numbers of the archived versions.
    annotations : dict of int to Annotations
        For the versions that were tagged or described, by number.
    description : str or None
        Description of the model.
    aliases : dict of str to Entry
        For each alias, the event of its last move.
    protected : dict of str to int
        For each protected alias, the number of approvals that its moves need.
    proposals : dict of (str, int) to Entry
        For each open proposal, given by alias and version number, its event.
    approvals : dict of (str, int) to list of Entry
        For each open proposal, the events that approve it.
    unreadable : list of int
        `seq` of the events whose body cannot be read.
    """

    def __init__(self, chain: Iterable[Entry]) -> None:
        self.documents: dict[int, tuple[int, Document]] = {}
        self.deleted: set[int] = set()
        self.archived: set[int] = set()
        self.annotations: dict[int, Annotations] = {}
        self.description: str | None = None
        self.aliases: dict[str, Entry] = {}
        self.protected: dict[str, int] = {}
        self.proposals: dict[tuple[str, int], Entry] = {}
        self.approvals: dict[tuple[str, int], list[Entry]] = {}
        self.unreadable: list[int] = []
        for entry in chain:
            if entry.kind in VERSION_KINDS:
                self._add_version(entry)
            elif entry.kind in {TAGGED, DESCRIBED, MODEL_DESCRIBED}:
                self._annotate(entry)
            elif entry.kind == ARCHIVED and entry.number is not None:
                self.archived.add(entry.number)
            elif entry.kind == RESTORED and entry.number is not None:
                self.archived.discard(entry.number)
            elif entry.kind == DELETED and entry.number is not None:
                self.deleted.add(entry.number)
                self.documents.pop(entry.number, None)
                self.archived.discard(entry.number)
                self.annotations.pop(entry.number, None)
            elif entry.kind in PROTECTION_KINDS and entry.alias is not None:
                self._protect(entry, entry.alias)
            elif entry.kind == ALIAS_REMOVED and entry.alias is not None:
                self.aliases.pop(entry.alias, None)
                self._close_proposals(entry.alias)
            elif entry.alias is not None:
                self.aliases[entry.alias] = entry
                self._close_proposals(entry.alias)

    @property
    def numbers(self) -> set[int]:
        """The numbers that were assigned, those of deleted versions included."""
        return self.documents.keys() | self.deleted

    def state_of(self, number: int) -> str:
        """Return the state of a version."""
        return records.ARCHIVED if number in self.archived else records.READY

    def annotations_of(self, number: int) -> Annotations:
        """Return what was added to a version after its registration."""
        return self.annotations.get(number, NO_ANNOTATIONS)

    def _annotate(self, entry: Entry) -> None:
        try:
            body = parse_body(entry.body)
        except DamagedHistoryError:
            self.unreadable.append(entry.seq)
            return
        if entry.number is None:
            self.description = body.get("description")
        elif entry.kind == TAGGED:
            tags = body.get("tags")
            current = self.annotations_of(entry.number)
            self.annotations[entry.number] = current._replace(tags=tags)
        else:
            current = self.annotations_of(entry.number)
            description = body.get("description")
            self.annotations[entry.number] = current._replace(description=description)

    def _protect(self, entry: Entry, alias: str) -> None:
        if entry.kind == UNPROTECTED:
            self.protected.pop(alias, None)
            self._close_proposals(alias)
        elif entry.kind == PROTECTED:
            try:
                self.protected[alias] = parse_body(entry.body)["approvals"]
            except (KeyError, DamagedHistoryError):
                self.unreadable.append(entry.seq)
        elif entry.kind == PROPOSED and entry.number is not None:
            self.proposals[alias, entry.number] = entry
        elif entry.number is not None:
            self.approvals.setdefault((alias, entry.number), []).append(entry)

    def _close_proposals(self, alias: str) -> None:
        for proposal in [key for key in self.proposals if key[0] == alias]:
            del self.proposals[proposal]
            self.approvals.pop(proposal, None)

    def _add_version(self, entry: Entry) -> None:
        try:
            document = parse_body(entry.body).get("version")
        except DamagedHistoryError:
            document = None
        if entry.number is None or not isinstance(document, dict):
            self.unreadable.append(entry.seq)
        else:
            self.documents[entry.number] = (entry.seq, document)
