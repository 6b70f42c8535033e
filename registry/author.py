"""Who makes changes, and the key that signs their events."""

from typing import Protocol, Self


class EventSigner(Protocol):
    """A key that signs events."""

    key_id: str

    def sign(self, event_hash: str) -> str:
        """Return the signature of the hash of an event, in hexadecimal."""


class Author(str):
    """The name of who makes changes, with the key that signs their events."""

    __slots__ = ("key",)

    key: EventSigner | None

    def __new__(cls, name: str, key: EventSigner | None = None) -> Self:
        """Return the name with a key."""
        author = super().__new__(cls, name)
        author.key = key
        return author
