"""Records of the registry as values that JSON can hold, under the names of their fields."""

from collections.abc import Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Any

from pipeline.training.weight_diff import LayerDifference
from registry import Comparison, Event, ModelVersion, Proposal, RegisteredModel

PARTS = ("metrics", "params", "tags", "inputs", "environment")
"""The attributes of a version that are mappings, in the order of the reports."""


def version_json(version: ModelVersion) -> dict[str, Any]:
    """Return a version as values that JSON can hold."""
    values: dict[str, Any] = {"reference": version.reference}
    values |= {field.name: getattr(version, field.name) for field in fields(version)}
    for part in PARTS:
        values[part] = dict(values[part])
    values["gate"] = [asdict(check) for check in version.gate]
    values["aliases"] = list(version.aliases)
    values["gate_passed"] = version.gate_passed
    values["created_at"] = time_json(version.created_at)
    if version.origin is not None:
        created_at = time_json(version.origin.created_at)
        values["origin"] = {**asdict(version.origin), "created_at": created_at}
    return values


def model_json(model: RegisteredModel) -> dict[str, Any]:
    """Return a registered model as values that JSON can hold."""
    values = {field.name: getattr(model, field.name) for field in fields(model)}
    aliases = dict(model.aliases)
    return {**values, "aliases": aliases, "created_at": time_json(model.created_at)}


def proposal_json(proposal: Proposal) -> dict[str, Any]:
    """Return a proposal as values that JSON can hold."""
    return {
        **asdict(proposal),
        "proposed_at": time_json(proposal.proposed_at),
        "approved_by": list(proposal.approved_by),
        "is_approved": proposal.is_approved,
    }


def event_json(event: Event) -> dict[str, Any]:
    """Return an event as values that JSON can hold."""
    values = {field.name: getattr(event, field.name) for field in fields(event)}
    details = dict(event.details)
    for name in ("version", "candidate"):
        if "created_at" in details.get(name, {}):
            created_at = _from_microseconds(details[name]["created_at"])
            details[name] = {**details[name], "created_at": created_at}
    if "clock" in details:
        details["clock"] = _from_microseconds(details["clock"])
    return {**values, "at": time_json(event.at), "details": details}


def move_json(event: Event) -> dict[str, Any]:
    """Return a move of an alias as values that JSON can hold."""
    before = event.details["from"]
    return {
        "alias": f"{event.name}@{event.alias}",
        "version": f"{event.name}/{event.number}",
        "from": None if before is None else f"{event.name}/{before}",
    }


def time_json(moment: datetime) -> str:
    """Return a time in the one form of all outputs, 2026-11-20T11:02:24Z.

    It has no fraction and no offset, because ``fromdate`` of jq reads neither.
    """
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _from_microseconds(microseconds: int) -> str:
    return time_json(datetime.fromtimestamp(microseconds // 1_000_000, UTC))


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
