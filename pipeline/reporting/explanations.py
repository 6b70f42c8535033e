"""What an alias pointed at at a time: since when, until when, why it came and why it went."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipeline.reporting.registry_json import time_json
from pipeline.reporting.registry_tables import event_reason
from pipeline.reporting.text import Card, moment, plain
from pipeline.training.reasons import what_changed
from registry import Alias, Event, ModelVersion, NotFoundError, Registry

# How reasons began that name figures only.
_FIGURES = "validation accuracy"


@dataclass(frozen=True, slots=True)
class AliasExplanation:
    """What an alias pointed at at a time, and why."""

    alias: Alias
    """The alias as it was then."""
    at: datetime
    """The time."""
    version: ModelVersion | None
    """The version, as it is now; None if it was deleted since."""
    came: str
    """Why it came."""
    next: Event | None
    """The event by which it went; None if it is there now."""
    went: str | None
    """Why it went; None if it is there now."""


def explain_alias(
    registry: Registry, name: str, alias: str, at: datetime | None = None
) -> AliasExplanation:
    """Return what an alias pointed at at a time, now by default.

    Raises
    ------
    registry.NotFoundError
        If it was not set.
    """
    then = registry.alias(name, alias, at=at)
    moves = _moves(registry, name, alias)
    came = next(event for event in moves if event.seq == then.generation)
    later = [event for event in moves if event.seq > then.generation]
    return AliasExplanation(
        alias=then,
        at=at or datetime.now(UTC),
        version=_version(registry, name, then.number),
        came=_why_it_came(registry, came),
        next=later[0] if later else None,
        went=_why_it_came(registry, later[0]) if later else None,
    )


def why_in_use(
    registry: Registry, version: ModelVersion, alias: str, at: datetime | None = None
) -> str | None:
    """Return why a version became what an alias points at; None if it never did.

    The last time counts, or the last time until `at`.
    """
    moves = [
        event
        for event in _moves(registry, version.name, alias)
        if event.number == version.number and (at is None or event.at <= at)
    ]
    return _why_it_came(registry, moves[-1]) if moves else None


def _moves(registry: Registry, name: str, alias: str) -> list[Event]:
    """Return the moves of an alias, oldest first."""
    events = registry.history(name, alias=alias)
    return [event for event in reversed(events) if event.kind.startswith("alias_")]


def _why_it_came(registry: Registry, event: Event) -> str:
    reason = event_reason(event)
    # Earlier releases recorded the figures only.
    if event.kind == "alias_moved" and (not reason or reason.startswith(_FIGURES)):
        reason = "; ".join(part for part in (_changes(registry, event), reason) if part)
    return reason or "no reason was given"


def _changes(registry: Registry, event: Event) -> str:
    previous = event.details.get("from")
    if previous is None or event.number is None:
        return ""
    version, earlier = (
        _version(registry, event.name, number) for number in (event.number, previous)
    )
    return "" if version is None or earlier is None else what_changed(version, earlier)


def _version(registry: Registry, name: str, number: int) -> ModelVersion | None:
    try:
        return registry.get(f"{name}/{number}")
    except NotFoundError:
        return None


def explanation_card(explanation: AliasExplanation) -> Card:
    """Return an explanation in five lines."""
    then = explanation.alias
    card = Card(f"{then.name}@{then.alias} at {moment(explanation.at)} UTC")
    card.add_row("version", _named(explanation))
    by = f" by {plain(then.moved_by)}" if then.moved_by else ""
    card.add_row("since", f"{moment(then.moved_at)} UTC{by}")
    card.add_row("until", _until(explanation))
    card.add_row("why it came", plain(explanation.came))
    if explanation.went is not None:
        card.add_row("why it went", plain(explanation.went))
    return card


def _named(explanation: AliasExplanation) -> str:
    version = explanation.version
    if version is None:
        return f"{explanation.alias.reference}, which was deleted since"
    accuracy = version.metrics.get("validation_accuracy")
    known = "" if accuracy is None else f", validation accuracy {accuracy:.4f}"
    return f"{version.reference}{known}, SHA-256 {version.sha256[:12]}"


def _until(explanation: AliasExplanation) -> str:
    event = explanation.next
    if event is None:
        return "now"
    by = f" by {plain(event.actor)}" if event.actor else ""
    followed = {
        "alias_moved": f"followed by {event.name}/{event.number}",
        "alias_rolled_back": f"rolled back to {event.name}/{event.number}",
        "alias_removed": "removed",
    }[event.kind]
    return f"{moment(event.at)} UTC, {followed}{by}"


def explanation_json(explanation: AliasExplanation) -> dict[str, Any]:
    """Return an explanation as values that JSON can hold."""
    then, event = explanation.alias, explanation.next
    return {
        "alias": f"{then.name}@{then.alias}",
        "at": time_json(explanation.at),
        "version": then.reference,
        "sha256": None if explanation.version is None else explanation.version.sha256,
        "since": time_json(then.moved_at),
        "by": then.moved_by,
        "why_it_came": explanation.came,
        "until": None if event is None else time_json(event.at),
        "followed_by": None
        if event is None or event.number is None
        else f"{event.name}/{event.number}",
        "why_it_went": explanation.went,
    }
