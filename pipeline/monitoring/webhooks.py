"""Signed webhooks: https://github.com/standard-webhooks/standard-webhooks, version 1.0.

A request carries the id of its message, the time of the attempt, and the signature
``HMAC-SHA256(secret, id.timestamp.body)`` in base64. A receiver knows by the signature who sent it,
by the time that it is no old one sent again, and by the id whether it has the message already.
"""

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

import requests

from pipeline.errors import DeliveryError
from pipeline.monitoring.silence import silent_libraries

SECRET_PREFIX = "whsec_"

# Seconds to connect, and between two pieces of the answer.
_TIMEOUT = 5.0

# The specification allows secrets of 24 to 64 bytes.
_SHORTEST, _LONGEST = 24, 64


class Webhook:
    """A receiver of signed webhooks.

    Parameters
    ----------
    address : str
        ``https://HOST/PATH#whsec_SECRET``. The fragment is not sent. During a change of secrets it
        has several, separated by commas, and each request a signature of each.

    Raises
    ------
    ValueError
        If the address is not of this form. The message does not repeat it.
    """

    def __init__(self, address: str) -> None:
        parts = urlsplit(address)
        if not parts.hostname:
            raise ValueError("a webhook needs a host")
        self._secrets = [_secret(text) for text in parts.fragment.split(",")]
        self._address = parts._replace(fragment="").geturl()

    def send(self, message_id: str, content: dict[str, object]) -> None:
        """Send a message.

        Raises
        ------
        DeliveryError
            If the receiver does not answer with a status of 200 to 299. The message does not name
            the address.
        """
        body = json.dumps(content, sort_keys=True).encode()
        timestamp = int(time.time())
        headers = {
            "content-type": "application/json",
            "user-agent": "digits",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(self._secrets, message_id, timestamp, body),
        }
        answer = self._post(body, headers)
        # The answer has no content that matters, however long it may be.
        answer.close()
        if not 200 <= answer.status_code < 300:
            raise DeliveryError(f"HTTP status {answer.status_code}")

    def _post(self, body: bytes, headers: dict[str, str]) -> requests.Response:
        try:
            with silent_libraries():
                # A redirect would send the message to whoever the receiver names.
                return requests.post(
                    self._address,
                    data=body,
                    headers=headers,
                    timeout=_TIMEOUT,
                    allow_redirects=False,
                    stream=True,
                )
        except requests.Timeout:
            raise DeliveryError(f"no answer within {_TIMEOUT:g} seconds") from None
        except requests.exceptions.SSLError:
            raise DeliveryError("the certificate is not valid") from None
        except (requests.RequestException, UnicodeError) as error:
            # Its text holds the address.
            raise DeliveryError(f"cannot be reached ({type(error).__name__})") from None


def signature(secrets: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """Return the header ``webhook-signature``: a signature of each secret.

    Parameters
    ----------
    secrets : sequence of bytes
    message_id : str
    timestamp : int
        Seconds since 1970.
    body : bytes
    """
    content = f"{message_id}.{timestamp}.".encode() + body
    digests = (hmac.new(secret, content, hashlib.sha256).digest() for secret in secrets)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def _secret(text: str) -> bytes:
    try:
        secret = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        secret = b""
    if not text.startswith(SECRET_PREFIX) or not _SHORTEST <= len(secret) <= _LONGEST:
        raise ValueError(
            f"the secret of a webhook is {SECRET_PREFIX} and {_SHORTEST} to {_LONGEST} bytes in "
            "base64"
        )
    return secret
