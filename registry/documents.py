"""The document of a version: its complete record, as its registration event stores it.

A document is JSON in one canonical form, so that equal documents have equal bytes and equal
hashes. The tables of details repeat it in columns that can be searched.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from registry import schema, validation
from registry.errors import InvalidArgumentError
from registry.frozen import FrozenDict
from registry.records import DAMAGED, Check, ModelVersion, Origin, RunRecord
from registry.references import Reference
from registry.times import MAX_TIME, to_datetime, to_microseconds

Document = dict[str, Any]

PASSED = "passed"
FAILED = "failed"

# Members of a document that are columns of `versions` under the same names.
COLUMNS = ("run_id", "idempotency_key", "created_at", "created_by", "code_version", "parent")

DETAIL_TABLES = (
    schema.version_metrics,
    schema.version_params,
    schema.version_tags,
    schema.version_environment,
    schema.version_inputs,
)


def canonical_json(value: Any) -> str:
    """Return a value as JSON in the one form that hashes are computed from."""
    return json.dumps(value, allow_nan=False, sort_keys=True, separators=(",", ":"))


def param_json(value: Any) -> str:
    """Return a parameter as its column holds it: canonical JSON, but without escapes.

    The limit of the column counts characters. As an escape each letter beyond ASCII would be six.
    """
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a pair of surrogates, of an earlier release
        return canonical_json(value)
    return text


def to_document(record: RunRecord, idempotency_key: str | None = None) -> Document:
    """Return the document of a run, validated; the digest, size, time and author are added later.

    Raises
    ------
    InvalidArgumentError
        If a name or a value is outside its domain.
    """
    if not isinstance(record, RunRecord):
        raise InvalidArgumentError("record", "a RunRecord", record)
    if record.parent is not None and Reference.parse(record.parent).number is None:
        raise InvalidArgumentError("parent", "a version, name/number", record.parent)
    return {
        "metrics": _mapping("metrics", record.metrics, validation.finite),
        "params": _mapping("params", record.params, _param),
        "tags": to_tags(record.tags),
        "inputs": _mapping("inputs", record.inputs, validation.digest),
        "environment": _mapping("environment", record.environment, validation.text),
        "gate": [_check(check) for check in record.gate],
        "parent": record.parent,
        "code_version": validation.optional_name("code_version", record.code_version),
        "run_id": validation.optional_name("run_id", record.run_id),
        "idempotency_key": validation.optional_name("idempotency_key", idempotency_key),
    }


def to_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags, validated.

    Raises
    ------
    InvalidArgumentError
    """
    return _mapping("tags", tags, validation.text)


def detail_rows(document: Document, version_id: int) -> dict[sa.Table, list[Mapping[str, Any]]]:
    """Return the rows of each table of details; tables without rows are left out."""

    def named(part: str) -> list[Mapping[str, Any]]:
        return [{"name": name, "value": value} for name, value in document[part].items()]

    rows_by_table: dict[sa.Table, list[Mapping[str, Any]]] = {
        schema.version_metrics: named("metrics"),
        schema.version_params: [
            {
                "name": name,
                "value": param_json(value),
                "number": validation.as_number(value),
            }
            for name, value in document["params"].items()
        ],
        schema.version_tags: named("tags"),
        schema.version_environment: named("environment"),
        schema.version_inputs: [
            {"role": role, "sha256": sha256} for role, sha256 in document["inputs"].items()
        ],
    }
    return {
        table: [{"version_id": version_id, **row} for row in rows]
        for table, rows in rows_by_table.items()
        if rows
    }


def gate_status(document: Document) -> str | None:
    """Return ``passed`` or ``failed``; None if no gate was recorded."""
    if not document["gate"]:
        return None
    return PASSED if all(check["passed"] for check in document["gate"]) else FAILED


def to_model_version(
    name: str,
    number: int,
    state: str,
    aliases: str | None,
    tags: str | None,
    description: str | None,
    document: Document,
) -> ModelVersion:
    """Return the record of a version.

    `aliases` are joined by commas; `tags` are JSON if they were changed after the registration.
    """
    return ModelVersion(
        name=name,
        number=number,
        state=state,
        sha256=document["sha256"],
        size=document["size"],
        metrics=FrozenDict(document["metrics"]),
        params=FrozenDict(document["params"]),
        tags=FrozenDict(document["tags"] if tags is None else json.loads(tags)),
        inputs=FrozenDict(document["inputs"]),
        environment=FrozenDict(document["environment"]),
        gate=tuple(Check(**check) for check in document["gate"]),
        aliases=tuple(sorted(aliases.split(","))) if aliases else (),
        parent=document["parent"],
        code_version=document["code_version"],
        run_id=document["run_id"],
        created_at=to_datetime(document["created_at"]),
        created_by=document["created_by"],
        description=description,
        origin=to_origin(document.get("origin")),
    )


def origin_document(origin: Origin) -> Document:
    """Return an origin as a document holds it, validated.

    Raises
    ------
    InvalidArgumentError
    """
    return {
        "registry": validation.text("origin.registry", origin.registry),
        "reference": str(Reference.parse(origin.reference)),
        "event": validation.digest("origin.event", origin.event),
        "created_at": to_microseconds(origin.created_at),
        "created_by": validation.optional_name("origin.created_by", origin.created_by),
        "parent": None if origin.parent is None else str(Reference.parse(origin.parent)),
    }


def to_origin(document: Mapping[str, Any] | None) -> Origin | None:
    """Return the origin in a document; None if there is none."""
    if document is None:
        return None
    return Origin(**{**document, "created_at": to_datetime(document["created_at"])})


def to_damaged_version(
    name: str, number: int, aliases: str | None, sha256: str, created_at: int
) -> ModelVersion:
    """Return what is left of a version whose document was edited or lost."""
    nothing = to_document(RunRecord())
    # The time may have been edited as well.
    created_at = min(max(created_at, 0), MAX_TIME)
    rest = {"sha256": sha256, "size": 0, "created_at": created_at, "created_by": None}
    return to_model_version(name, number, DAMAGED, aliases, None, None, {**nothing, **rest})


def to_checks(documents: Sequence[Mapping[str, Any]]) -> list[Check]:
    """Return the checks in a document that another registry wrote.

    Raises
    ------
    InvalidArgumentError
    """
    try:
        return [Check(**check) for check in documents]
    except TypeError:
        raise InvalidArgumentError("gate", "checks of a gate", documents) from None


def _mapping(
    argument: str, values: Mapping[str, Any], validate: Callable[[str, Any], Any]
) -> dict[str, Any]:
    if not isinstance(values, Mapping):
        raise InvalidArgumentError(argument, "a mapping", values)
    validated = {
        validation.text(f"a name in {argument}", name, schema.NAME_LIMIT, least=1): validate(
            f"{argument}[{name!r}]", value
        )
        for name, value in values.items()
    }
    return dict(sorted(validated.items()))


def _param(name: str, value: Any) -> Any:
    try:
        encoded = json.dumps(value, allow_nan=False, default=_plain)
    except (TypeError, ValueError, RecursionError):
        raise InvalidArgumentError(name, "a value that JSON can hold", value) from None
    # Decoded again, because JSON turns a tuple into a list.
    decoded = json.loads(encoded)
    if len(param_json(decoded)) > schema.TEXT_LIMIT:
        expected = f"a value of at most {schema.TEXT_LIMIT:,} characters of JSON"
        raise InvalidArgumentError(name, expected, value)
    for member in _texts_in(decoded):
        validation.text(name, member)
    return decoded


def _plain(value: Any) -> Any:
    plain = validation.plain(value)
    if plain is value:
        raise TypeError(value)
    return plain


def _texts_in(value: Any) -> Iterator[str]:
    """Yield every text in a JSON value; escapes in JSON can stand for any character."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for member in value:
            yield from _texts_in(member)
    elif isinstance(value, dict):
        yield from _texts_in([*value.keys(), *value.values()])


def _check(check: Check) -> Document:
    if not isinstance(check, Check):
        raise InvalidArgumentError("gate", "checks", check)
    where = f"gate[{check.name!r}]"
    return asdict(
        Check(
            validation.text("gate", check.name, schema.NAME_LIMIT, least=1),
            validation.finite(where, check.figure),
            validation.finite(where, check.threshold),
            validation.flag(where, check.passed),
        )
    )
