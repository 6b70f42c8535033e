"""Translation of a filter's syntax tree to SQL with bound parameters."""

import re
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from registry import schema
from registry.documents import param_json
from registry.filters.grammar import (
    OPTIONAL,
    And,
    Comparison,
    Condition,
    Field,
    Not,
    Or,
    Value,
    is_number,
)
from registry.times import to_microseconds

Clause = sa.ColumnElement[bool]

_COMPARE: dict[str, Callable[[Any, Any], Clause]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}

# What JSON and Python write for a number; "nan" and "1_000" are only texts.
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?", re.ASCII)

_versions = schema.versions.c

_COLUMNS: dict[str, sa.ColumnElement[Any]] = {
    "name": schema.models.c.name,
    "number": _versions.number,
    "state": _versions.state,
    "sha256": _versions.blob_sha256,
    "size": (
        sa.select(schema.blobs.c.size)
        .where(schema.blobs.c.sha256 == _versions.blob_sha256)
        .scalar_subquery()
    ),
    "created_at": _versions.created_at,
    "created_by": _versions.created_by,
    "code_version": _versions.code_version,
    "description": _versions.description,
    "run_id": _versions.run_id,
    "gate": _versions.gate,
    "parent": _versions.parent,
}

VALUE_TABLES = {
    "metrics": schema.version_metrics,
    "params": schema.version_params,
    "tags": schema.version_tags,
    "environment": schema.version_environment,
    "inputs": schema.version_inputs,
}
"""The tables of a version's named values: the version, the name, the value."""


def to_sql(condition: Condition) -> Clause:
    """Return a condition as SQL, for a query on `versions` joined with `models`."""
    match condition:
        case And(operands):
            return sa.and_(*map(to_sql, operands))
        case Or(operands):
            return sa.or_(*map(to_sql, operands))
        case Not(operand):
            return sa.not_(to_sql(operand))
        case Comparison():
            return _comparison(condition)


def _comparison(comparison: Comparison) -> Clause:
    field, operator = comparison.field, comparison.operator
    if field.attribute in OPTIONAL and comparison.values == (None,):
        lacks = _lacks(field)
        return lacks if operator == "=" else sa.not_(lacks)
    values = [_stored(value) for value in comparison.values]
    if field.attribute in _COLUMNS:
        # A comparison with NULL is NULL, and so is its negation; both must be true or false.
        column = _COLUMNS[field.attribute]
        return sa.and_(column.is_not(None), _compare(column, operator, values))
    if field.attribute == "alias":
        # Of several aliases one always differs, which is not what `!=` asks for.
        if operator == "!=":
            return sa.not_(_has_alias(_compare(schema.aliases.c.alias, "=", values)))
        return _has_alias(_compare(schema.aliases.c.alias, operator, values))
    table = VALUE_TABLES[field.attribute]
    return _exists(
        table.c.version_id == _versions.id,
        table.columns[1] == field.key,
        _compare_detail(field, table, operator, values),
    )


def _lacks(field: Field) -> Clause:
    if field.attribute == "alias":
        return sa.not_(_has_alias())
    return _COLUMNS[field.attribute].is_(None)


def _has_alias(*conditions: Clause) -> Clause:
    aliases = schema.aliases.c
    return _exists(
        aliases.model_id == _versions.model_id, aliases.number == _versions.number, *conditions
    )


def _stored(value: Value) -> str | int | float | bool | None:
    return to_microseconds(value) if isinstance(value, datetime) else value


def _exists(*conditions: Clause) -> Clause:
    # Only `versions` refers to the enclosing query, which may itself join metrics to sort by them.
    return sa.exists().where(*conditions).correlate(schema.versions)


def _compare_detail(field: Field, table: sa.Table, operator: str, values: list[Any]) -> Clause:
    column = table.columns[2]
    if field.attribute == "metrics":
        return _compare(column, operator, [float(value) for value in values])
    if field.attribute == "params":
        return _compare_param(table, operator, values)
    if field.attribute == "inputs":
        return _compare(column, operator, values)
    return _compare_text(column, operator, values)


def _compare_param(table: sa.Table, operator: str, values: list[Any]) -> Clause:
    """Compare a parameter: with numbers as a number, with anything else as JSON."""
    text, number = table.c.value, table.c.number
    if operator == "like":
        # The JSON of a text starts with a quote.
        return sa.and_(text.like('"%'), _compare(_JSONText(text), operator, values))
    numbers = [float(value) for value in values if is_number(value)]
    others = [param_json(value) for value in values if not is_number(value)]
    # Other registries keep parameters as texts, so a number is also asked for as a text.
    numbers += [
        float(value) for value in values if isinstance(value, str) and is_number_text(value)
    ]
    clauses = []
    if numbers:
        clause = _compare(number, operator, numbers)
        # A parameter that is not a number differs from every number.
        clauses.append(sa.or_(number.is_(None), clause) if operator == "!=" else clause)
    if others:
        clauses.append(_compare_text(text, operator, others))
    return sa.and_(*clauses) if operator == "!=" else sa.or_(*clauses)


class _JSONText(sa.sql.functions.FunctionElement[str]):
    """The text that a JSON string encodes."""

    type = sa.String()
    inherit_cache = True


@compiles(_JSONText)
def _json_text_on_sqlite(element: _JSONText, compiler: Any, **options: Any) -> str:
    return f"json_extract({compiler.process(element.clauses, **options)}, '$')"


@compiles(_JSONText, "postgresql")
def _json_text_on_postgresql(element: _JSONText, compiler: Any, **options: Any) -> str:
    return f"(({compiler.process(element.clauses, **options)})::jsonb #>> '{{}}')"


def _compare_text(column: sa.ColumnElement[str], operator: str, values: Sequence[str]) -> Clause:
    """Compare a text whose index holds only its first characters."""
    clause = _compare(column, operator, values)
    if operator not in {"=", "in"}:
        return clause
    # As in the index, which SQLite would not use if these were parameters.
    prefix = sa.func.substr(column, sa.literal_column("1"), sa.literal_column(str(schema.INDEXED)))
    prefixes = [value[: schema.INDEXED] for value in values]
    return sa.and_(_compare(prefix, operator, prefixes), clause)


def is_number_text(text: str) -> bool:
    """Tell whether a text is a number, as JSON and Python write it."""
    return _NUMBER.fullmatch(text) is not None


def _compare(expression: sa.ColumnElement[Any], operator: str, values: Sequence[Any]) -> Clause:
    if operator == "in":
        return expression.in_([_bound(value) for value in values])
    if operator == "like":
        return expression.like(values[0], escape="\\")
    return _COMPARE[operator](expression, _bound(values[0]))


def _bound(value: Any) -> sa.BindParameter[Any]:
    """Return a parameter typed after the value, not after the column it is compared with."""
    if isinstance(value, float):
        return sa.literal(value, sa.Double())
    return sa.literal(value, sa.BigInteger() if isinstance(value, int) else sa.String())
