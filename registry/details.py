"""What belongs to a version by name: metrics, params, tags, inputs. Checked, made columns."""

import json
import math
from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa

from registry import schema
from registry.errors import InvalidArgumentError
from registry.records import Param

Rows = dict[sa.Table, dict[str, float | str]]
"""For each table of details, what it gets: values by name."""


def encode(
    metrics: Mapping[str, float],
    params: Mapping[str, Param],
    tags: Mapping[str, str],
    inputs: Mapping[str, str],
) -> Rows:
    """Return the details of a version as their tables hold them.

    Raises
    ------
    InvalidArgumentError
        Where a name or a value is outside its domain.
    """
    return {
        schema.version_metrics: _encoded("metrics", metrics, _metric),
        schema.version_params: _encoded("params", params, _param),
        schema.version_tags: _encoded("tags", tags, _tag),
        schema.version_inputs: _encoded("inputs", inputs, _digest),
    }


def short_text(name: str, value: str) -> str:
    """Return a text of a length that the database takes."""
    if not isinstance(value, str) or not 0 < len(value) <= schema.TEXT_LIMIT:
        raise InvalidArgumentError(name, f"1 to {schema.TEXT_LIMIT} characters", value)
    return value


def _encoded(
    argument: str, given: Mapping[str, Any], value_of: Callable[[str, Any], float | str]
) -> dict[str, float | str]:
    return {
        short_text(f"a name in {argument}", name): value_of(f"{argument}[{name!r}]", value)
        for name, value in given.items()
    }


def _metric(name: str, value: Any) -> float:
    # SQLite would store NaN as NULL.
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidArgumentError(name, "a finite number", value)
    return float(value)


def _param(name: str, value: Any) -> str:
    try:
        text = json.dumps(value, allow_nan=False, sort_keys=True)
    except (TypeError, ValueError):
        raise InvalidArgumentError(name, "a value JSON can hold", value) from None
    return short_text(name, text)


def _tag(name: str, value: Any) -> str:
    return "" if value == "" else short_text(name, value)


def _digest(name: str, value: Any) -> str:
    if not (isinstance(value, str) and len(value) == 64 and set(value) <= set("0123456789abcdef")):
        raise InvalidArgumentError(name, "a SHA-256, 64 hexadecimal digits", value)
    return value
