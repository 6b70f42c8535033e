"""Versions as a table in Arrow's format, for pandas, polars and DuckDB."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from registry.documents import canonical_json
from registry.records import ModelVersion

if TYPE_CHECKING:
    import pyarrow as pa

# The limits of a 64-bit integer.
_INTEGERS = range(-(1 << 63), 1 << 63)


def versions_frame(versions: Sequence[ModelVersion]) -> "pa.Table":
    """Return a table with a row for each version, in the same order.

    Its columns are the attributes of a version, and one column for each name of a mapping, such as
    ``metrics.accuracy`` (float64) and ``tags.team`` (string), null if a version has no such value.
    A column of ``params`` is of the type that all its values have, otherwise JSON.
    """
    # It takes longer to import than a listing takes.
    import pyarrow as pa

    time = pa.timestamp("us", tz="UTC")
    columns = {
        "reference": pa.array([version.reference for version in versions], pa.string()),
        "name": pa.array([version.name for version in versions], pa.string()),
        "number": pa.array([version.number for version in versions], pa.int64()),
        "state": pa.array([version.state for version in versions], pa.string()),
        "aliases": pa.array([list(version.aliases) for version in versions], pa.list_(pa.string())),
        "gate_passed": pa.array([version.gate_passed for version in versions], pa.bool_()),
        "created_at": pa.array([version.created_at for version in versions], time),
        "created_by": pa.array([version.created_by for version in versions], pa.string()),
        "description": pa.array([version.description for version in versions], pa.string()),
        "sha256": pa.array([version.sha256 for version in versions], pa.string()),
        "size": pa.array([version.size for version in versions], pa.int64()),
        "parent": pa.array([version.parent for version in versions], pa.string()),
        "code_version": pa.array([version.code_version for version in versions], pa.string()),
        "run_id": pa.array([version.run_id for version in versions], pa.string()),
    }
    for part in ("metrics", "params", "tags", "inputs", "environment"):
        mappings = [getattr(version, part) for version in versions]
        for name in sorted(set().union(*mappings)):
            values = [mapping.get(name) for mapping in mappings]
            columns[f"{part}.{name}"] = _array(part, values)
    return pa.table(columns)


def _array(part: str, values: list[Any]) -> "pa.Array[Any]":
    import pyarrow as pa

    if part == "metrics":
        return pa.array(values, pa.float64())
    if part != "params":
        return pa.array(values, pa.string())
    kinds = {type(value) for value in values if value is not None}
    if kinds == {bool}:
        return pa.array(values, pa.bool_())
    if kinds == {int} and all(value is None or value in _INTEGERS for value in values):
        return pa.array(values, pa.int64())
    if kinds and kinds <= {int, float} and _are_exact(values):
        return pa.array([None if v is None else float(v) for v in values], pa.float64())
    if kinds == {str}:
        return pa.array(values, pa.string())
    return pa.array([None if v is None else canonical_json(v) for v in values], pa.string())


def _are_exact(values: Iterable[int | float | None]) -> bool:
    """Tell whether a float holds each of the numbers exactly."""
    return all(
        value is None or isinstance(value, float) or (value in _INTEGERS and float(value) == value)
        for value in values
    )
