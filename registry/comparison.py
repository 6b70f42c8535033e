"""Comparing two versions."""

from collections.abc import Mapping
from typing import Any

from registry.records import Comparison, Difference, ModelVersion


def compare(first: ModelVersion, second: ModelVersion) -> Comparison:
    """Return the differences between two versions."""
    return Comparison(
        first=first,
        second=second,
        same_weights=first.sha256 == second.sha256,
        metrics=_differences(first.metrics, second.metrics),
        params=_differences(first.params, second.params),
        tags=_differences(first.tags, second.tags),
        inputs=_differences(first.inputs, second.inputs),
        environment=_differences(first.environment, second.environment),
    )


def _differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[Difference, ...]:
    return tuple(
        Difference(name, first.get(name), second.get(name))
        for name in sorted(first.keys() | second.keys())
        # A value of None differs from a missing value.
        if (name in first) != (name in second) or first.get(name) != second.get(name)
    )
