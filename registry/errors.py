"""What can go wrong in `registry`, as one tree.

::

    RegistryError
    ├── InvalidArgumentError       a name, reference, metric, … is outside its domain
    ├── NotFoundError              no such model, version or alias
    ├── IdempotencyConflictError   a key was used before, for other weights
    ├── BlobError                  the weights of a version cannot be trusted
    │   ├── MissingBlobError       they are not there
    │   └── DamagedBlobError       they are not the ones registered
    ├── UnsupportedError           a kind of database or store this release does not know
    │   └── NewerRegistryError     a registry written by a newer release
    └── UnavailableError           the database or the store cannot be read or written
"""


class RegistryError(Exception):
    """Any failure that `registry` foresees; its text says what, expected, got and what next."""


class InvalidArgumentError(RegistryError, ValueError):
    """An argument is outside its domain."""

    def __init__(self, name: str, expected: str, got: object) -> None:
        super().__init__(f"{name}: expected {expected}, got {got!r}.")
        self.name = name
        self.expected = expected
        self.got = got


class NotFoundError(RegistryError, LookupError):
    """No such model, version or alias.

    Attributes
    ----------
    reference : str
    """

    def __init__(self, reference: str, what_next: str) -> None:
        super().__init__(f"There is no {reference} in the registry. {what_next}")
        self.reference = reference


class IdempotencyConflictError(RegistryError):
    """An idempotency key was used before, for other weights."""

    def __init__(self, key: str, reference: str, registered: str, got: str) -> None:
        super().__init__(
            f"The idempotency key {key!r} belongs to {reference}, whose weights have the SHA-256 "
            f"{registered}; these have {got}. Use a key of its own for each registration."
        )
        self.key = key
        self.reference = reference


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
