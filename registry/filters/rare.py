"""Versions with a rare value, found before the versions are searched.

SQLite goes through the versions of a model from the newest one, and looks each one's values up. If
hardly any version has the value, it reads them all. An index of the values knows which versions
have it, and need not be read further than a few.
"""

import math
from collections.abc import Iterator

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from registry import schema
from registry.documents import param_json
from registry.filters.grammar import And, Comparison, Condition, Value, is_number
from registry.filters.sql import VALUE_TABLES, compare, compare_prefix, is_number_text

# A value that more versions have is soon found by going through the versions.
_FEW = 100

# From here on, integers that differ may be equal as floats.
_MAX_EXACT = 1 << 53


def rare_versions(connection: Connection, condition: Condition) -> sa.ColumnElement[bool] | None:
    """Return a condition on the ids of the versions if only a few can match, otherwise None."""
    operands = condition.operands if isinstance(condition, And) else (condition,)
    for operand in operands:
        if isinstance(operand, Comparison) and operand.field.attribute in VALUE_TABLES:
            clause = _indexed(operand)
            if clause is not None:
                table = VALUE_TABLES[operand.field.attribute]
                query = sa.select(table.c.version_id).where(
                    table.columns[1] == operand.field.key, clause
                )
                ids = list(connection.scalars(query.limit(_FEW + 1)))
                if len(ids) <= _FEW:
                    return schema.versions.c.id.in_(ids)
    return None


def _indexed(comparison: Comparison) -> sa.ColumnElement[bool] | None:
    """Return a condition that every matching value meets, for an index; None if there is none."""
    attribute, operator = comparison.field.attribute, comparison.operator
    column = VALUE_TABLES[attribute].columns[2]
    if attribute == "metrics" and operator != "!=":
        return compare(column, operator, [float(str(value)) for value in comparison.values])
    if operator not in {"=", "in"}:
        return None
    if attribute == "inputs":
        return compare(column, "in", comparison.values)
    texts = [text for value in comparison.values for text in _texts(attribute, value)]
    if None in texts:
        return None
    return compare_prefix(column, "in", list(map(str, texts)))


def _texts(attribute: str, value: Value) -> Iterator[str | None]:
    """Yield the texts that a column may hold for a value; None if they are countless."""
    if attribute != "params":
        yield str(value)
        return
    if not is_number(value):
        yield param_json(value)
    if is_number(value) or (isinstance(value, str) and is_number_text(value)):
        yield from _texts_of_number(float(str(value)))


def _texts_of_number(number: float) -> Iterator[str | None]:
    if not math.isfinite(number) or abs(number) >= _MAX_EXACT:
        yield None
        return
    yield repr(number)
    if number == 0:
        yield from ("0", "0.0", "-0.0")
    elif number.is_integer():
        yield str(int(number))
