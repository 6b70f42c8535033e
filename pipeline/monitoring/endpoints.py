"""The receivers of messages that ``DIGITS_NOTIFY`` names."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from pydantic import SecretStr

from pipeline.errors import SettingsError
from pipeline.monitoring.services import Service
from pipeline.monitoring.webhooks import SECRET_PREFIX, Webhook
from pipeline.monitoring.wording import text_of, title_of, webhook_content
from registry import Message


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A receiver of messages."""

    name: str
    """What people call it: its scheme and its place in the settings, without its address."""
    id: str
    """A digest that identifies it in the registry."""
    _receiver: Webhook | Service = field(repr=False)

    def send(self, message: Message) -> None:
        """Send a message.

        Raises
        ------
        DeliveryError
            The message does not name the address.
        """
        if isinstance(self._receiver, Webhook):
            self._receiver.send(message.id, webhook_content(message))
        else:
            self._receiver.send(title_of(message), text_of(message))


def endpoints_of(addresses: Sequence[SecretStr], salt: str) -> list[Endpoint]:
    """Return the receivers with these addresses.

    Parameters
    ----------
    addresses : sequence of SecretStr
    salt : str
        The id of the registry: the same address has different digests in different registries.

    Raises
    ------
    SettingsError
        If an address is not valid. The message does not repeat it.
    """
    endpoints = []
    for number, secret in enumerate(addresses, 1):
        address = secret.get_secret_value()
        scheme = address.partition("://")[0] if "://" in address else "address"
        try:
            receiver = Webhook(address) if f"#{SECRET_PREFIX}" in address else Service(address)
        except ValueError as error:
            raise SettingsError(
                f"DIGITS_NOTIFY: address {number} of {len(addresses)}: {error}. For a signed "
                f"webhook, append #{SECRET_PREFIX}SECRET to its address."
            ) from None
        name = f"{_shown(scheme)} ({number} of {len(addresses)})"
        endpoints.append(Endpoint(name, _digest(address, salt), receiver))
    return endpoints


def _shown(scheme: str) -> str:
    """Return a scheme, unless it is so strange that it may hold a secret."""
    return scheme if scheme.isalnum() and len(scheme) < 16 else "address"


def _digest(address: str, salt: str) -> str:
    """Return what identifies an address, and is no help to whoever guesses its password."""
    digest = hashlib.scrypt(address.encode(), salt=salt.encode(), n=1 << 14, r=8, p=1, dklen=8)
    return digest.hex()
