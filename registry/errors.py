"""The errors of `registry`, as one tree.

::

    RegistryError
    ├── InvalidArgumentError       a name, reference, metric, … is outside its domain
    │   ├── KeyFileError           a file of keys cannot be used
    │   └── FilterError            `where` or `order_by` has a syntax error
    ├── NotFoundError              no such model, version or alias
    │   └── NoRegistryError        no registry at this place, and none was to be created
    ├── ConflictError              the state of the registry forbids it; nothing was changed
    │   ├── IdempotencyConflictError   the key was used before, for other weights
    │   ├── AliasMovedError        another client moved the alias first
    │   ├── GateError              only a version that passed its gate can become champion
    │   ├── ArchivedError          an alias cannot point at an archived version
    │   ├── ProtectedAliasError    a protected alias moves only after others have approved
    │   ├── ApprovalError          whoever proposed or approved a version cannot approve it
    │   ├── VersionInUseError      a version that is in use cannot be deleted
    │   ├── SharedStoreError       other registries use the blob store
    │   └── CollisionError         an import holds another version of the same number
    ├── BlobError                  the weights of a version cannot be trusted
    │   ├── MissingBlobError       they are missing
    │   └── DamagedBlobError       they do not match their digest
    ├── DamagedHistoryError        an event or a record was edited or lost
    ├── ArchiveError               a file to import is not a valid export
    ├── UnsupportedError           a kind of database or blob store that this release cannot use
    │   └── NewerRegistryError     a registry written by a newer release
    └── UnavailableError           the database or the blob store cannot be read or written
"""

import copyreg
from datetime import datetime
from typing import Any


def without_secrets(address: str) -> str:
    """Return an address without the parts that may hold a password: user and query."""
    scheme, mark, rest = address.partition("://")
    if not mark:
        scheme, rest = "", address
    return f"{scheme}{mark}{rest.rpartition('@')[2].partition('?')[0]}"


# Characters of a value that a message shows.
_SHOWN = 100


def _shortened(value: object) -> str:
    """Return a value as a message shows it: a tag of a megabyte is not read by anyone."""
    if isinstance(value, str | bytes) and len(value) > _SHOWN:
        return f"{value[:_SHOWN]!r}… ({len(value):,} in all)"
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}… ({len(text):,} characters)"


class RegistryError(Exception):
    """Base of all errors that `registry` raises on purpose."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception would call `__init__` with the message alone.
        return copyreg.__newobj__, (type(self), *self.args), vars(self)  # type: ignore[attr-defined]


class InvalidArgumentError(RegistryError, ValueError):
    """An argument is outside its domain.

    Attributes
    ----------
    name : str
        Name of the argument.
    expected : str
    got : object
    """

    def __init__(self, name: str, expected: str, got: object) -> None:
        super().__init__(f"{name}: expected {expected}, got {_shortened(got)}.")
        self.name = name
        self.expected = expected
        self.got = got


class KeyFileError(InvalidArgumentError):
    """A file of keys cannot be used."""

    def __init__(self, file: str, expected: str) -> None:
        RegistryError.__init__(self, f"{file}: expected {expected}.")
        self.name = "key"
        self.expected = expected
        self.got = file


class FilterError(InvalidArgumentError):
    """A filter or an order has a syntax error.

    Attributes
    ----------
    position : int
        Index of the first character that was not expected.
    """

    def __init__(self, name: str, expected: str, text: str, start: int, end: int) -> None:
        got = text[start:end]
        RegistryError.__init__(self, _with_caret(name, expected, text, start, end))
        self.name = name
        self.expected = expected
        self.got = got
        self.position = start


def _with_caret(name: str, expected: str, text: str, start: int, end: int) -> str:
    # Each character is replaced by exactly one, so that the caret stays below the error.
    printable = "".join(c if c.isprintable() else " " for c in text)
    first = max(0, start - 60)
    line = printable[first : start + 60]
    caret = " " * (start - first) + "^" * max(1, min(end, start + 60) - start)
    got = repr(text[start:end]) if end > start else "the end"
    return f"{name}: expected {expected}, got {got}.\n  {line}\n  {caret}"


class NotFoundError(RegistryError, LookupError):
    """No such model, version or alias.

    Attributes
    ----------
    reference : str
    """

    def __init__(self, reference: str, message: str | None = None) -> None:
        super().__init__(message or f"There is no {reference} in the registry.")
        self.reference = reference


class NoRegistryError(NotFoundError):
    """There is no registry at this place, and none was to be created."""

    def __init__(self, address: str) -> None:
        super().__init__(
            address,
            f"There is no registry at {address}. Check the address; registering a version or "
            "importing one creates a registry.",
        )


class ConflictError(RegistryError):
    """The state of the registry forbids it. Nothing was changed."""


class IdempotencyConflictError(ConflictError):
    """An idempotency key was used before, for other weights.

    Attributes
    ----------
    key : str
    reference : str
        The version that was registered with the key.
    """

    def __init__(self, key: str, reference: str, registered: str, got: str) -> None:
        super().__init__(
            f"The idempotency key {key!r} belongs to {reference}. Its weights have the SHA-256 "
            f"{registered}, but these have {got}. Use a new key for each registration."
        )
        self.key = key
        self.reference = reference


class AliasMovedError(ConflictError):
    """Another client moved the alias first.

    Attributes
    ----------
    number, generation : int or None
        Number of the version it points at, and its generation; None if it was removed.
    """

    def __init__(
        self,
        alias: str,
        expected: int,
        *,
        number: int | None = None,
        generation: int | None = None,
        moved_by: str | None = None,
        moved_at: datetime | None = None,
    ) -> None:
        state = "not set"
        if number is not None:
            by = f" by {moved_by}" if moved_by else ""
            model = alias.partition("@")[0]
            state = (
                f"at {model}/{number}, generation {generation}, "
                f"moved{by} at {moved_at:%Y-%m-%d %H:%M:%S} UTC"
            )
        super().__init__(
            f"{alias} was expected at generation {expected}, but is {state}. "
            "Read the alias again before you move it."
        )
        self.number = number
        self.generation = generation


class GateError(ConflictError):
    """Only a version that passed its gate can become champion.

    Attributes
    ----------
    reference : str
    """

    def __init__(self, reference: str, alias: str, reason: str) -> None:
        super().__init__(
            f"{reference} cannot become {alias}: {reason}. Promote a version that passed its gate, "
            "or use force, which the history will record."
        )
        self.reference = reference


class ArchivedError(ConflictError):
    """An alias cannot point at an archived version."""


class ProtectedAliasError(ConflictError):
    """A protected alias moves only after others have approved."""


class ApprovalError(ConflictError):
    """Whoever proposed or approved a version cannot approve it."""


class VersionInUseError(ConflictError):
    """A version that is in use cannot be deleted or archived.

    Attributes
    ----------
    reference : str
    use : str
        What needs it.
    """

    def __init__(self, reference: str, use: str, done: str = "deleted") -> None:
        super().__init__(f"{reference} cannot be {done}: it is {use}.")
        self.reference = reference
        self.use = use


class SharedStoreError(ConflictError):
    """Other registries use the blob store, so nothing in it can be garbage to this one.

    Attributes
    ----------
    others : tuple of str
        Ids of the other registries.
    """

    def __init__(self, others: tuple[str, ...], location: str) -> None:
        files = ", ".join(f"registries/{other}" for other in others)
        is_one = len(others) == 1
        who = "Another registry uses" if is_one else f"{len(others)} other registries use"
        super().__init__(
            f"{who} the blob store {location}, so this one cannot tell which weights are theirs. "
            f"Nothing was removed. The store names them: {files}. "
            "Remove the file of a registry that is gone for good, and try again."
        )
        self.others = others


class CollisionError(ConflictError):
    """An import holds other versions of numbers that are taken.

    Attributes
    ----------
    references : tuple of str
    """

    def __init__(self, references: tuple[str, ...]) -> None:
        super().__init__(
            f"The registry already has other versions of {', '.join(references)}. Nothing was "
            "imported. Export a selection without them, or import into another registry."
        )
        self.references = references


class BlobError(RegistryError):
    """The weights of a version cannot be trusted.

    Attributes
    ----------
    sha256 : str
        The digest that was registered.
    """

    def __init__(self, sha256: str, message: str) -> None:
        super().__init__(message)
        self.sha256 = sha256


class MissingBlobError(BlobError):
    """The weights of a version are missing."""

    def __init__(self, sha256: str, location: str) -> None:
        super().__init__(
            sha256,
            f"Weights {sha256} are missing: expected them at {location}. Restore that file from a "
            "backup, or register the same weights again.",
        )


class DamagedBlobError(BlobError):
    """The weights of a version do not match their digest.

    Attributes
    ----------
    got : str
        The SHA-256 of what is stored.
    """

    def __init__(self, sha256: str, got: str, location: str) -> None:
        super().__init__(
            sha256,
            f"Weights {sha256} are damaged: {location} has the SHA-256 {got}. Restore that file "
            "from a backup, or register the same weights again.",
        )
        self.got = got


class DamagedHistoryError(RegistryError):
    """An event or a record was edited or lost; `Registry.verify` says which."""


class ArchiveError(RegistryError):
    """A file to import is not a valid export, or is damaged. Nothing was imported."""


class UnsupportedError(RegistryError):
    """A kind of database or blob store that this release cannot use."""


class NewerRegistryError(UnsupportedError):
    """The registry was written by a newer release.

    Attributes
    ----------
    found, supported : int
        Schema of the registry, and the newest one that this release can use.
    """

    def __init__(self, found: int, supported: int) -> None:
        super().__init__(
            f"This registry has schema {found}; this release supports schemas up to {supported}. "
            "Upgrade to a newer release to use it. Nothing was changed."
        )
        self.found = found
        self.supported = supported


class UnavailableError(RegistryError):
    """The database or the blob store cannot be read or written."""
