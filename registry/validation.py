"""Checks of single values: what both databases can store."""

import math
from typing import Any

from registry import schema
from registry.errors import InvalidArgumentError

_HEXADECIMAL = frozenset("0123456789abcdef")


def text(name: str, value: object, limit: int = schema.TEXT_LIMIT, *, least: int = 0) -> str:
    """Return a text that both databases accept: not too long, valid Unicode, without NUL."""
    valid = isinstance(value, str) and least <= len(value) <= limit and "\0" not in value
    if valid:
        try:
            str(value).encode()
        except UnicodeEncodeError:
            valid = False
    if not valid:
        raise InvalidArgumentError(name, f"{least} to {limit} characters of text", value)
    return str(value)


def optional_name(name: str, value: object) -> str | None:
    """Return a text of at most `NAME_LIMIT` characters and not empty, or None."""
    return None if value is None else text(name, value, schema.NAME_LIMIT, least=1)


def optional_text(name: str, value: object) -> str | None:
    """Return a text, or None."""
    return None if value is None else text(name, value)


def digest(name: str, value: object) -> str:
    """Return a SHA-256 in hexadecimal."""
    if not (isinstance(value, str) and len(value) == 64 and set(value) <= _HEXADECIMAL):
        raise InvalidArgumentError(name, "a SHA-256, 64 hexadecimal digits", value)
    return value


def finite(name: str, value: Any) -> float:
    """Return a finite number as a float."""
    # SQLite would store NaN as NULL.
    number = as_number(value)
    if number is None or not math.isfinite(number):
        raise InvalidArgumentError(name, "a finite number", value)
    return number


def as_number(value: Any) -> float | None:
    """Return a number as a float; None for anything else, or if no float is large enough."""
    value = plain(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        # SQLite stores -0.0 as 0.0; verification would report a difference from the event.
        return float(value) + 0.0
    except OverflowError:
        return None


def plain(value: Any) -> Any:
    """Return a scalar or an array of NumPy as a value of Python, anything else as it is.

    NumPy itself is not imported: its values, and those of libraries alike, have ``tolist``.
    """
    to_list = None if isinstance(value, type) else getattr(value, "tolist", None)
    return to_list() if callable(to_list) else value


def flag(name: str, value: object) -> bool:
    """Return True or False, also of NumPy."""
    value = plain(value)
    if not isinstance(value, bool):
        raise InvalidArgumentError(name, "True or False", value)
    return value


def weights(value: object) -> bytes:
    """Return weights as bytes."""
    if not isinstance(value, bytes | bytearray | memoryview):
        raise InvalidArgumentError("weights", "bytes", value)
    return bytes(value)


def count(name: str, value: object) -> None:
    """Check an optional number of rows."""
    is_count = isinstance(value, int) and not isinstance(value, bool) and 1 <= value < 1 << 31
    if value is not None and not is_count:
        raise InvalidArgumentError(name, "a whole number from 1", value)
