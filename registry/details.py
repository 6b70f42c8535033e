"""What a version is, as the document its registration records: checked, and taken apart.

The document is JSON in one form only, so that equal documents are equal bytes.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from registry import schema
from registry.errors import InvalidArgumentError
from registry.records import Check, ModelVersion, Param, Reference, moment

Document = dict[str, Any]

PASSED = "passed"
FAILED = "failed"

_HEXADECIMAL = frozenset("0123456789abcdef")


def document_of(
    *,
    metrics: Mapping[str, float],
    params: Mapping[str, Param],
    tags: Mapping[str, str],
    inputs: Mapping[str, str],
    environment: Mapping[str, str],
    gate: Iterable[Check],
    parent: str | None,
    code_version: str | None,
    run_id: str | None,
    idempotency_key: str | None,
) -> Document:
    """Return the document of a version, but for its weights, who made it and when.

    Raises
    ------
    InvalidArgumentError
        Where a name or a value is outside its domain.
    """
    if parent is not None and Reference.parse(parent).number is None:
        raise InvalidArgumentError("parent", "a version, name/number", parent)
    return {
        "metrics": _named("metrics", metrics, _finite),
        "params": _named("params", params, _param),
        "tags": _named("tags", tags, _value),
        "inputs": _named("inputs", inputs, digest),
        "environment": _named("environment", environment, _value),
        "gate": [_check(check) for check in gate],
        "parent": parent,
        "code_version": _optional("code_version", code_version),
        "run_id": _optional("run_id", run_id),
        "idempotency_key": _optional("idempotency_key", idempotency_key),
    }


# What stands in columns of `versions` under the same names.
COLUMNS = ("run_id", "idempotency_key", "created_at", "created_by", "code_version", "parent")

TABLES = (
    schema.version_metrics,
    schema.version_params,
    schema.version_tags,
    schema.version_environment,
    schema.version_inputs,
)


def rows(document: Document, version_id: int) -> dict[sa.Table, list[Mapping[str, Any]]]:
    """Return what the tables of details hold of a document, where they hold anything."""

    def named(part: str) -> list[Mapping[str, Any]]:
        return [{"name": name, "value": value} for name, value in document[part].items()]

    found: dict[sa.Table, list[Mapping[str, Any]]] = {
        schema.version_metrics: named("metrics"),
        schema.version_params: [
            {"name": name, "value": canonical(value), "number": _number(value)}
            for name, value in document["params"].items()
        ],
        schema.version_tags: named("tags"),
        schema.version_environment: named("environment"),
        schema.version_inputs: [
            {"role": role, "sha256": sha256} for role, sha256 in document["inputs"].items()
        ],
    }
    return {
        table: [{"version_id": version_id, **row} for row in some]
        for table, some in found.items()
        if some
    }


def gate_of(document: Document) -> str | None:
    """Return what the checks of a document come to; None where there are none."""
    if not document["gate"]:
        return None
    return PASSED if all(check["passed"] for check in document["gate"]) else FAILED


def version_of(
    name: str, number: int, state: str, aliases: str | None, document: Document
) -> ModelVersion:
    """Return the record of a version; `aliases` are joined by commas."""
    return ModelVersion(
        name=name,
        number=number,
        state=state,
        sha256=document["sha256"],
        size=document["size"],
        metrics=MappingProxyType(document["metrics"]),
        params=MappingProxyType(document["params"]),
        tags=MappingProxyType(document["tags"]),
        inputs=MappingProxyType(document["inputs"]),
        environment=MappingProxyType(document["environment"]),
        gate=tuple(Check(**check) for check in document["gate"]),
        aliases=tuple(sorted(aliases.split(","))) if aliases else (),
        parent=document["parent"],
        code_version=document["code_version"],
        run_id=document["run_id"],
        created_at=moment(document["created_at"]),
        created_by=document["created_by"],
    )


def canonical(value: Any) -> str:
    """Return a value as JSON, in the one form that hashes are made of."""
    return json.dumps(value, allow_nan=False, sort_keys=True, separators=(",", ":"))


def text(name: str, value: object, limit: int = schema.TEXT_LIMIT, *, least: int = 0) -> str:
    """Return a text that both databases take: not too long, valid Unicode, without NUL."""
    valid = isinstance(value, str) and least <= len(value) <= limit and "\0" not in value
    if valid:
        try:
            str(value).encode()
        except UnicodeEncodeError:
            valid = False
    if not valid:
        what = f"{least} to {limit} characters of text"
        raise InvalidArgumentError(name, what, value)
    return str(value)


def digest(name: str, value: object) -> str:
    """Return a SHA-256 in hexadecimal."""
    if not (isinstance(value, str) and len(value) == 64 and set(value) <= _HEXADECIMAL):
        raise InvalidArgumentError(name, "a SHA-256, 64 hexadecimal digits", value)
    return value


def _optional(name: str, value: object) -> str | None:
    return None if value is None else text(name, value, schema.NAME_LIMIT, least=1)


def _named(
    argument: str, given: Mapping[str, Any], value_of: Callable[[str, Any], Any]
) -> dict[str, Any]:
    if not isinstance(given, Mapping):
        raise InvalidArgumentError(argument, "a mapping", given)
    found = {
        text(f"a name in {argument}", name, schema.NAME_LIMIT, least=1): value_of(
            f"{argument}[{name!r}]", value
        )
        for name, value in given.items()
    }
    return dict(sorted(found.items()))


def _finite(name: str, value: Any) -> float:
    # SQLite would store NaN as NULL.
    number = _number(value)
    if number is None or not math.isfinite(number):
        raise InvalidArgumentError(name, "a finite number", value)
    return number


def _number(value: Any) -> float | None:
    """Return what can be compared as a number, as one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        # SQLite has no negative zero, and what it returns would not be what the event says.
        return float(value) + 0.0
    except OverflowError:
        return None


def _param(name: str, value: Any) -> Any:
    try:
        encoded = canonical(value)
    except (TypeError, ValueError, RecursionError):
        raise InvalidArgumentError(name, "a value JSON can hold", value) from None
    # What a reader of the document will see: a tuple has become a list.
    found = json.loads(text(name, encoded))
    for one in _texts_in(found):
        text(name, one)
    return found


def _texts_in(value: Any) -> Iterator[str]:
    """Yield the texts of a value as JSON holds it, whose escapes can stand for any character."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from _texts_in(one)
    elif isinstance(value, dict):
        yield from _texts_in([*value.keys(), *value.values()])


def _value(name: str, value: Any) -> str:
    return text(name, value)


def _check(check: Check) -> Document:
    if not isinstance(check, Check) or not isinstance(check.passed, bool):
        raise InvalidArgumentError("gate", "checks, with `passed` True or False", check)
    where = f"gate[{check.name!r}]"
    return asdict(
        Check(
            text("gate", check.name, schema.NAME_LIMIT, least=1),
            _finite(where, check.figure),
            _finite(where, check.threshold),
            check.passed,
        )
    )


def checks_of(given: Sequence[Mapping[str, Any]]) -> list[Check]:
    """Return the checks of a document that comes from elsewhere."""
    try:
        return [Check(**check) for check in given]
    except TypeError:
        raise InvalidArgumentError("gate", "checks of a gate", given) from None
