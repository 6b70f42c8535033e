"""Delivery: messages that wait in the registry → every endpoint of ``DIGITS_NOTIFY``.

A pass sends what is due, each endpoint in a thread of its own, and ends after a few seconds
whatever the endpoints do. What could not be sent is tried again later, ever more rarely, and is
given up after a week. A pass can run in any process: at the end of a job, in `digits serve`, or in
`digits notify send`.
"""

import logging
import random
import threading
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pipeline.errors import DeliveryError, SettingsError
from pipeline.models import open_registry
from pipeline.settings import Settings
from registry import Message, NoRegistryError, Registry, RegistryError

if TYPE_CHECKING:
    from pipeline.monitoring.endpoints import Endpoint

_log = logging.getLogger(__name__)

PASS_LIMIT = 8.0
"""Seconds after which a pass ends; an attempt that still runs is made again later."""

# A process that was killed during an attempt is not waited for any longer.
_LEASE = timedelta(minutes=2)

# Seconds from a failed attempt to the next one; the last is repeated.
_BACK_OFF = (5, 60, 300, 1_800, 7_200, 18_000, 36_000)
# Endpoints that fail together are not tried again together.
_JITTER = 0.2

# How long a message waits for an endpoint, and how long it stays after that.
_WAITING = timedelta(days=7)
_DONE = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt to send a message to an endpoint."""

    endpoint: str
    """Name of the endpoint, without its address."""
    message: str
    """Id of the message."""
    error: str | None
    """Why it failed; None if it did not."""


def deliver(settings: Settings, *, limit: float = PASS_LIMIT) -> list[Attempt]:
    """Send the messages that are due, and return what became of the attempts.

    Parameters
    ----------
    settings : Settings
    limit : float
        Seconds.

    Raises
    ------
    SettingsError
        If an address in ``DIGITS_NOTIFY`` is not valid.
    registry.RegistryError
        If the registry cannot be read.
    """
    if not settings.notify:
        return []
    # Most jobs send nothing, and requests takes a tenth of a second to import.
    from pipeline.monitoring.endpoints import endpoints_of

    attempts: list[Attempt] = []
    try:
        registry = open_registry(settings, create=False)
    except NoRegistryError:
        return []
    with registry:
        give_up_old(registry)
        if not registry.messages.waiting():
            return []
        endpoints = endpoints_of(settings.notify, registry.id)
        deadline = time.monotonic() + limit
        threads = [
            # A daemon, so that an endpoint that does not answer keeps no process from ending.
            threading.Thread(
                target=_send_due, args=(settings, endpoint, deadline, attempts), daemon=True
            )
            for endpoint in endpoints
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(deadline - time.monotonic(), 0))
        registry.messages.close_delivered([endpoint.id for endpoint in endpoints])
    return list(attempts)


def give_up_old(registry: Registry) -> None:
    """Give up messages that have waited for a week, and remove those of the month before."""
    registry.messages.remove_old(waiting=_WAITING, done=_DONE)


def deliver_quietly(settings: Settings) -> None:
    """Send the messages that are due; what prevents it is a line of the log, not an error."""
    try:
        attempts = deliver(settings)
    except (SettingsError, RegistryError) as error:
        _log.warning("Messages are not delivered: %s", error)
        return
    for attempt in attempts:
        if attempt.error is not None:
            _log.warning(
                "The message %s does not reach %s: %s. It is sent again later.",
                attempt.message,
                attempt.endpoint,
                attempt.error,
            )


def send_test(settings: Settings) -> list[Attempt]:
    """Send a test message to every endpoint, without the registry; return what became of it.

    Raises
    ------
    SettingsError
        If ``DIGITS_NOTIFY`` names no endpoint, or an address is not valid.
    """
    if not settings.notify:
        raise SettingsError("DIGITS_NOTIFY: expected addresses to send messages to, got none.")
    from pipeline.monitoring.endpoints import endpoints_of

    moment = datetime.now(UTC)
    message = Message(f"msg_{uuid.uuid4().hex}", moment, "test", {}, None)
    return [_attempt(endpoint, message) for endpoint in endpoints_of(settings.notify, "test")]


def _send_due(
    settings: Settings, endpoint: "Endpoint", deadline: float, attempts: list[Attempt]
) -> None:
    """Send an endpoint what is due, until an attempt fails or time is up.

    An attempt may outlive its pass, so it has a registry of its own to write into.
    """
    try:
        with open_registry(settings, create=False) as registry:
            while time.monotonic() < deadline:
                # One by one: what is taken and not sent would wait for the end of the lease.
                taken = registry.messages.take(endpoint.id, lease=_LEASE, limit=1)
                if not taken:
                    return
                message, number = taken[0]
                attempt = _attempt(endpoint, message)
                attempts.append(attempt)
                if attempt.error is not None:
                    retry_at = datetime.now(UTC) + _pause(number)
                    registry.messages.note_failed(message.id, endpoint.id, attempt.error, retry_at)
                    return
                registry.messages.note_delivered(message.id, endpoint.id)
    except RegistryError as error:
        _log.warning("Messages to %s are not delivered: %s", endpoint.name, error)


def _attempt(endpoint: "Endpoint", message: Message) -> Attempt:
    try:
        endpoint.send(message)
    except DeliveryError as error:
        return Attempt(endpoint.name, message.id, str(error))
    return Attempt(endpoint.name, message.id, None)


def _pause(attempts: int) -> timedelta:
    """Return the time from this failed attempt to the next one."""
    seconds = _BACK_OFF[min(attempts, len(_BACK_OFF)) - 1]
    return timedelta(seconds=seconds * random.uniform(1 - _JITTER, 1 + _JITTER))
