"""Signatures of events with Ed25519 keys, in the formats of OpenSSH.

A signature covers the hash of an event, which covers everything that the event records: who
registered, approved or promoted what, the digest of the weights, and all events before it.
``ssh-keygen -t ed25519`` makes a key. The keys that are trusted are in a file with a line
``ssh-ed25519 KEY NAME`` for each person, as in the files ``*.pub``.
"""

import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from registry.errors import KeyFileError
from registry.events import Entry

# So that the signature of an event cannot be taken for one of anything else.
_PURPOSE = b"digits-registry-event\0"


class SigningKey:
    """A private key.

    Attributes
    ----------
    key_id : str
        SHA-256 fingerprint of the public key, as ``ssh-keygen -l`` shows it, but in hexadecimal.
    """

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.key_id = _key_id(key.public_key())

    @classmethod
    def read(cls, file: str | Path) -> "SigningKey":
        """Read a private key of OpenSSH that has no passphrase.

        Raises
        ------
        KeyFileError
        """
        try:
            key = serialization.load_ssh_private_key(_read(file), None)
        except (ValueError, TypeError, UnsupportedAlgorithm) as error:
            raise KeyFileError(str(file), "an OpenSSH private key without a passphrase") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise KeyFileError(str(file), "an Ed25519 key")
        return cls(key)

    def sign(self, event_hash: str) -> str:
        """Return the signature of the hash of an event, in hexadecimal."""
        return self._key.sign(_PURPOSE + event_hash.encode()).hex()


class TrustedKeys:
    """The public keys that are trusted, by id, and whose they are."""

    def __init__(self, file: str | Path) -> None:
        """Read a file of public keys.

        Raises
        ------
        KeyFileError
            If it has no key, or a line that is not ``ssh-ed25519 KEY NAME``.
        """
        self._keys: dict[str, tuple[str, Ed25519PublicKey]] = {}
        for number, line in enumerate(_read(file).splitlines(), 1):
            if not line.strip() or line.startswith(b"#"):
                continue
            try:
                name = line.split(maxsplit=2)[2].decode().strip()
                key = serialization.load_ssh_public_key(line)
            except (ValueError, IndexError, UnsupportedAlgorithm) as error:
                text = f"ssh-ed25519 KEY NAME in line {number}"
                raise KeyFileError(str(file), text) from error
            if not isinstance(key, Ed25519PublicKey):
                raise KeyFileError(str(file), f"an Ed25519 key in line {number}")
            self._keys[_key_id(key)] = (name, key)
        if not self._keys:
            raise KeyFileError(str(file), "at least one line ssh-ed25519 KEY NAME")

    def problems(self, chain: Iterable[Entry]) -> Iterator[str]:
        """Yield the events that were not signed by who they name, by a trusted key."""
        unsigned: list[int] = []
        for entry in chain:
            if entry.signature is None:
                unsigned.append(entry.seq)
            else:
                problem = self._problem(entry)
                if problem is not None:
                    yield f"event {entry.seq} {problem}"
        for first, last in _runs(unsigned):
            if first == last:
                yield f"event {first} is not signed"
            else:
                yield f"events {first} to {last} are not signed"

    def _problem(self, entry: Entry) -> str | None:
        if entry.key_id not in self._keys:
            return f"is signed with the key {entry.key_id}, which is not trusted"
        name, key = self._keys[entry.key_id]
        try:
            signature = bytes.fromhex(str(entry.signature))
            key.verify(signature, _PURPOSE + entry.hash.encode())
        except (InvalidSignature, ValueError):
            return f"has a wrong signature, with the key of {name}"
        if entry.actor != name:
            return f"names {entry.actor!r}, but {name} signed it"
        return None


def _key_id(key: Ed25519PublicKey) -> str:
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    fields = (b"ssh-ed25519", raw)
    blob = b"".join(len(field).to_bytes(4, "big") + field for field in fields)
    return hashlib.sha256(blob).hexdigest()


def _read(file: str | Path) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        raise KeyFileError(str(file), f"a key ({error.strerror})") from error


def _runs(numbers: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Yield first and last of each run of consecutive numbers, which ascend."""
    first = last = None
    for number in numbers:
        if first is not None and last is not None and number != last + 1:
            yield first, last
            first = None
        first, last = number if first is None else first, number
    if first is not None and last is not None:
        yield first, last
