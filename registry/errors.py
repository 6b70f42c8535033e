"""What can go wrong in `registry`, as one tree.

::

    RegistryError
    ├── InvalidArgumentError       a name, reference, metric, … is outside its domain
    │   └── FilterError            `where` or `order_by` cannot be read; its text shows the place
    ├── NotFoundError              no such model, version or alias
    ├── ConflictError              what is there forbids it; nothing was changed
    │   ├── IdempotencyConflictError   a key was used before, for other weights
    │   ├── AliasMovedError        somebody else moved the alias first
    │   ├── GateError              only a version that passed its gate can be champion
    │   ├── ArchivedError          an alias and an archived version do not go together
    │   └── CollisionError         an import holds another version of the same number
    ├── BlobError                  the weights of a version cannot be trusted
    │   ├── MissingBlobError       they are not there
    │   └── DamagedBlobError       they are not the ones registered
    ├── DamagedHistoryError        a record of the registry was edited or lost
    ├── ArchiveError               a file to import is not what an export writes
    ├── UnsupportedError           a kind of database or store this release does not know
    │   └── NewerRegistryError     a registry written by a newer release
    └── UnavailableError           the database or the store cannot be read or written
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from registry.records import Alias


def without_secrets(address: str) -> str:
    """Return an address without what may be a password: user and options."""
    scheme, mark, rest = address.partition("://")
    if not mark:
        scheme, rest = "", address
    return f"{scheme}{mark}{rest.rpartition('@')[2].partition('?')[0]}"


class RegistryError(Exception):
    """Any failure that `registry` foresees; its text says what, expected, got and what next."""


class InvalidArgumentError(RegistryError, ValueError):
    """An argument is outside its domain."""

    def __init__(self, name: str, expected: str, got: object) -> None:
        super().__init__(f"{name}: expected {expected}, got {got!r}.")
        self.name = name
        self.expected = expected
        self.got = got


class FilterError(InvalidArgumentError):
    """A filter or an order cannot be read.

    Attributes
    ----------
    position : int
        Of the first character that does not fit, counted from 0.
    """

    def __init__(self, name: str, expected: str, text: str, start: int, end: int) -> None:
        got = text[start:end]
        RegistryError.__init__(self, _with_caret(name, expected, text, start, end))
        self.name = name
        self.expected = expected
        self.got = got
        self.position = start


def _with_caret(name: str, expected: str, text: str, start: int, end: int) -> str:
    # A character for a character, so that the caret stands below the right one.
    shown = "".join(c if c.isprintable() else " " for c in text)
    first = max(0, start - 60)
    line = shown[first : start + 60]
    caret = " " * (start - first) + "^" * max(1, min(end, start + 60) - start)
    got = repr(text[start:end]) if end > start else "the end"
    return f"{name}: expected {expected}, got {got}.\n  {line}\n  {caret}"


class NotFoundError(RegistryError, LookupError):
    """No such model, version or alias.

    Attributes
    ----------
    reference : str
    """

    def __init__(self, reference: str, what_next: str) -> None:
        super().__init__(f"There is no {reference} in the registry. {what_next}")
        self.reference = reference


class ConflictError(RegistryError):
    """What is in the registry forbids it. Nothing was changed."""


class IdempotencyConflictError(ConflictError):
    """An idempotency key was used before, for other weights."""

    def __init__(self, key: str, reference: str, registered: str, got: str) -> None:
        super().__init__(
            f"The idempotency key {key!r} belongs to {reference}, whose weights have the SHA-256 "
            f"{registered}; these have {got}. Use a key of its own for each registration."
        )
        self.key = key
        self.reference = reference


class AliasMovedError(ConflictError):
    """An alias is not where the caller expected it: somebody else moved it first.

    Attributes
    ----------
    number, generation : int or None
        Where it is; None where it was removed.
    """

    def __init__(self, alias: str, expected: int, found: "Alias | None") -> None:
        where = "not set" if found is None else f"at {found.reference}, generation "
        if found is not None:
            who = f" by {found.moved_by}" if found.moved_by else ""
            where += f"{found.generation}, moved{who} at {found.moved_at:%Y-%m-%d %H:%M:%S} UTC"
        super().__init__(
            f"{alias} was expected at generation {expected} and is {where}. "
            "Look at it again before moving it."
        )
        self.number = found.number if found else None
        self.generation = found.generation if found else None


class GateError(ConflictError):
    """Only a version that passed its gate can be champion."""

    def __init__(self, reference: str, alias: str, reason: str) -> None:
        super().__init__(
            f"{reference} cannot become {alias}: {reason}. Promote a version that passed, or say "
            "that it is to be forced, which the history will show."
        )
        self.reference = reference


class ArchivedError(ConflictError):
    """An alias and an archived version do not go together."""


class CollisionError(ConflictError):
    """An import holds versions whose numbers are taken by others.

    Attributes
    ----------
    references : tuple of str
    """

    def __init__(self, references: tuple[str, ...]) -> None:
        super().__init__(
            f"{', '.join(references)}: the registry has other versions of these numbers. Nothing "
            "was imported. Export a selection without them, or import into another registry."
        )
        self.references = references


class BlobError(RegistryError):
    """The weights of a version cannot be trusted.

    Attributes
    ----------
    sha256 : str
        The digest they were registered with.
    """

    def __init__(self, sha256: str, text: str) -> None:
        super().__init__(text)
        self.sha256 = sha256


class MissingBlobError(BlobError):
    """The weights of a version are not there."""

    def __init__(self, sha256: str, place: str) -> None:
        super().__init__(
            sha256,
            f"Weights {sha256} are missing: expected them at {place}. Restore that file from a "
            "backup, or register the same weights again.",
        )


class DamagedBlobError(BlobError):
    """The weights of a version are not the ones registered."""

    def __init__(self, sha256: str, got: str, place: str) -> None:
        super().__init__(
            sha256,
            f"Weights {sha256} are damaged: {place} has the SHA-256 {got}. Restore that file from "
            "a backup, or register the same weights again.",
        )
        self.got = got


class DamagedHistoryError(RegistryError):
    """A record of the registry was edited or lost; `verify` says which."""


class ArchiveError(RegistryError):
    """A file to import is not what an export writes, or is damaged. Nothing was imported."""


class UnsupportedError(RegistryError):
    """A kind of database or store this release does not know."""


class NewerRegistryError(UnsupportedError):
    """The registry was written by a newer release."""

    def __init__(self, found: int, known: int) -> None:
        super().__init__(
            f"This registry has schema {found}; this release of digits knows schema {known}. "
            "Upgrade digits to use it. Nothing was changed."
        )
        self.found = found
        self.known = known


class UnavailableError(RegistryError):
    """The database or the store cannot be read or written."""
