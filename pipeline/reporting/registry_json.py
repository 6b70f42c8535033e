"""Records of the registry as values that JSON can hold, under the names of their fields."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any

from pipeline.training.weight_diff import LayerDifference
from registry import Comparison, Event, ModelVersion

PARTS = ("metrics", "params", "tags", "inputs", "environment")
"""The attributes of a version that are mappings, in the order of the reports."""


def version_json(version: ModelVersion) -> dict[str, Any]:
    """Return a version as values that JSON can hold."""
    values = {field.name: getattr(version, field.name) for field in fields(version)}
    for part in PARTS:
        values[part] = dict(values[part])
    values["gate"] = [asdict(check) for check in version.gate]
    values["aliases"] = list(version.aliases)
    values["created_at"] = version.created_at.isoformat()
    return values


def event_json(event: Event) -> dict[str, Any]:
    """Return an event as values that JSON can hold."""
    values = {field.name: getattr(event, field.name) for field in fields(event)}
    return {**values, "at": event.at.isoformat(), "details": dict(event.details)}


def comparison_json(comparison: Comparison, layers: Sequence[LayerDifference]) -> dict[str, Any]:
    """Return the differences of two versions as values that JSON can hold."""
    parts = {
        part: {
            difference.name: {
                "first": difference.first,
                "second": difference.second,
                **({"change": difference.change} if part == "metrics" else {}),
            }
            for difference in getattr(comparison, part)
        }
        for part in PARTS
    }
    return {
        "first": comparison.first.reference,
        "second": comparison.second.reference,
        "same_weights": comparison.same_weights,
        **parts,
        "layers": [asdict(layer) for layer in layers],
    }
