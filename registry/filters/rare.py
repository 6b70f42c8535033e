"""Versions with a rare value, found before the versions are searched.

SQLite goes through the versions of a model from the newest one, and looks each one's values up. If
hardly any version has the value, it reads them all. An index of the values knows which versions
have it, and need not be read further than a few.
"""

import math
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from registry import schema
from registry.documents import param_json
from registry.filters.grammar import And, Comparison, Condition, Value, is_number
from registry.filters.sql import VALUE_TABLES, is_number_text

# A value that more versions have is soon found by going through the versions.
_FEW = 20

# From here on, integers that differ may be equal as floats.
_MAX_EXACT = 1 << 53


def rare_versions(connection: Connection, condition: Condition) -> sa.ColumnElement[bool] | None:
    """Return a condition on the ids of the versions if only a few can match, otherwise None."""
    # SQLAlchemy would take longer for the question than SQLite for the whole search.
    driver: Any = connection.connection.dbapi_connection
    operands = condition.operands if isinstance(condition, And) else (condition,)
    for operand in operands:
        if isinstance(operand, Comparison) and operand.field.attribute in VALUE_TABLES:
            indexed = _indexed(operand)
            if indexed is not None:
                table = VALUE_TABLES[operand.field.attribute]
                clause, values = indexed
                query = (
                    f"SELECT version_id FROM {table.name} "
                    f"WHERE {table.columns[1].name} = ? AND {clause} LIMIT {_FEW + 1}"
                )
                rows = driver.execute(query, (operand.field.key, *values)).fetchall()
                if len(rows) <= _FEW:
                    return schema.versions.c.id.in_([row[0] for row in rows])
    return None


def _indexed(comparison: Comparison) -> tuple[str, list[Any]] | None:
    """Return a condition that every matching value meets, for an index, and its parameters.

    None if there is no such index.
    """
    attribute, operator = comparison.field.attribute, comparison.operator
    column = VALUE_TABLES[attribute].columns[2].name
    if operator not in {"=", "in"}:
        return None
    values: list[Any] = list(comparison.values)
    if attribute == "metrics":
        values = [float(str(value)) for value in values]
    elif attribute != "inputs":
        texts = [text for value in values for text in _texts(attribute, value)]
        if None in texts:
            return None
        values = [str(text)[: schema.INDEXED] for text in texts]
        # As in the index, which SQLite would not use if these were parameters.
        column = f"substr({column}, 1, {schema.INDEXED})"
    return f"{column} IN ({', '.join('?' * len(values))})", values


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
