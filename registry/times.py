"""Times as the database stores them: microseconds since 1970, UTC."""

import time
from datetime import UTC, datetime, timedelta

from registry.errors import InvalidArgumentError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

MAX_TIME = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)
"""The last time that a `datetime` can hold, in microseconds since 1970."""


def now() -> int:
    """Return the current time in microseconds since 1970."""
    return time.time_ns() // 1000


def to_datetime(microseconds: int) -> datetime:
    """Return a stored time as a `datetime` in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


def to_microseconds(moment: datetime) -> int:
    """Return a time in microseconds since 1970.

    Raises
    ------
    InvalidArgumentError
        If it has no time zone.
    """
    if moment.tzinfo is None:
        raise InvalidArgumentError("moment", "a time with a time zone", str(moment))
    return (moment - _EPOCH) // timedelta(microseconds=1)
