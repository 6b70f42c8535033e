"""Records of the registry as Rich tables."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.metrics.drift import PROFILE
from pipeline.reporting.registry_json import PARTS
from pipeline.reporting.text import Card, Lines, moment, plain, sparkline, width
from pipeline.reporting.words import refusal_in_words
from pipeline.training.weight_diff import LayerDifference
from registry import (
    Check,
    Comparison,
    Difference,
    Event,
    Finding,
    ModelVersion,
    Proposal,
    RegisteredModel,
)

_READY = "ready"

# Maximum number of bars in a sparkline; with its figures it fits into 80 columns.
_MAX_BARS = 24

# Columns from which there is room for seconds, hashes and reasons beside each other.
_WIDE = 120

# Decimal places of the metrics that are compared, so that their points are below each other.
_DECIMALS = 6

# Characters of a digest in a table.
_SHORT = 12


def versions_table(versions: Sequence[ModelVersion], *, is_search: bool) -> RenderableType:
    """Return a row for each version.

    Parameters
    ----------
    versions : sequence of ModelVersion
    is_search : bool
        Whether these are the results of a search, which may leave versions out.
    """
    if not versions:
        none = "No versions." if is_search else "No versions yet. `digits retrain` makes the first."
        return Text(none)
    is_wide = width() >= _WIDE
    # The state is worth a column if it is not the usual one.
    has_states = is_wide or any(version.state != _READY for version in versions)
    table = Table("version", box=None, pad_edge=False)
    table.add_column("aliases", overflow="fold")
    table.add_column("created (UTC)", no_wrap=True)
    for heading in ("validation", "test"):
        table.add_column(heading, justify="right", no_wrap=True)
    for heading in ("preset", "gate", *(["state"] * has_states), *(["sha256"] * is_wide)):
        table.add_column(heading, no_wrap=True)
    for version in versions:
        table.add_row(
            version.reference,
            ", ".join(version.aliases),
            moment(version.created_at) if is_wide else _minute(version.created_at),
            *(_figure(version, name) for name in ("validation_accuracy", "test_accuracy")),
            plain(version.params.get("preset", "")),
            _gate(version),
            *([version.state] * has_states),
            *([version.sha256[:_SHORT]] * is_wide),
        )
    return Group(table, *_sparkline(versions))


def version_card(version: ModelVersion, why: str | None = None) -> RenderableType:
    """Return everything about one version.

    Parameters
    ----------
    version : ModelVersion
    why : str, optional
        Why it came into use, as the history has it.
    """
    head = Card(version.reference)
    head.add_row("aliases", ", ".join(version.aliases) or "none")
    head.add_row("state", version.state)
    created_by = f" by {plain(version.created_by)}" if version.created_by else ""
    head.add_row("created (UTC)", moment(version.created_at) + created_by)
    if why:
        head.add_row("why", plain(why))
    if version.description:
        head.add_row("description", plain(version.description))
    if version.origin is not None:
        head.add_row("copy of", plain(f"{version.origin.reference} in {version.origin.registry}"))
    head.add_row("sha256", version.sha256)
    head.add_row("size", f"{version.size:,} bytes")
    for name in ("parent", "code_version", "run_id"):
        head.add_row(name.replace("_", " "), plain(getattr(version, name) or "none"))
    if not version.gate:
        head.add_row("gate", "none recorded")
    parts: list[RenderableType] = [head]
    if version.gate:
        parts.append(_gate_card(version.gate))
    for part in PARTS:
        values = {k: v for k, v in getattr(version, part).items() if (part, k) != ("tags", PROFILE)}
        if values:
            section = Card(part)
            for name, value in values.items():
                section.add_row(plain(name), _value(value))
            parts.append(section)
    return Group(*parts)


def _gate_card(checks: Sequence[Check]) -> Card:
    gate = Card("gate")
    for check in checks:
        word, style = ("passed", "green") if check.passed else ("failed", "red")
        figures = str(check).removeprefix(check.name).strip()
        gate.add_row(plain(check.name), Text(f"{plain(figures)}, {word}", style=style))
    return gate


def models_table(models: Sequence[RegisteredModel]) -> RenderableType:
    """Return a row for each model."""
    if not models:
        return Text("No models.")
    table = Table("model", "versions", "latest", "aliases", box=None, pad_edge=False)
    table.add_column("created (UTC)")
    table.add_column("description", overflow="fold")
    for model in models:
        table.add_row(
            model.name,
            f"{model.versions:,}",
            "" if model.latest is None else f"{model.name}/{model.latest}",
            ", ".join(f"{alias} {number}" for alias, number in model.aliases.items()),
            moment(model.created_at),
            plain(model.description or ""),
        )
    return table


def proposals_table(proposals: Sequence[Proposal]) -> RenderableType:
    """Return a row for each proposal."""
    if not proposals:
        return Text("No version waits for approval.")
    table = Table("version", "for", "by", "when (UTC)", "approved by", box=None, pad_edge=False)
    table.add_column("needed", justify="right")
    is_wide = width() >= _WIDE
    if is_wide:
        table.add_column("why", overflow="fold")
    for proposal in proposals:
        why = plain(proposal.reason or "")
        table.add_row(
            proposal.version,
            proposal.alias,
            plain(proposal.proposed_by),
            moment(proposal.proposed_at) if is_wide else _minute(proposal.proposed_at),
            plain(", ".join(proposal.approved_by)),
            str(proposal.approvals_needed),
            *([why] * is_wide),
        )
    reasons = () if is_wide else proposals
    notes = [f"{each.version}: {plain(each.reason)}" for each in reasons if each.reason]
    return Group(table, Lines(notes))


def comparison_table(comparison: Comparison, layers: Sequence[LayerDifference]) -> RenderableType:
    """Return the differences of two versions, side by side, in a section for each part."""
    first, second = comparison.first, comparison.second
    table = Table("", first.reference, second.reference, box=None, pad_edge=False)
    table.columns[0].no_wrap = True
    for column in table.columns[1:]:
        column.overflow = "fold"
    table.add_column("change", justify="right", no_wrap=True)
    table.add_row("created (UTC)", _minute(first.created_at), _minute(second.created_at), "")
    table.add_row("aliases", ", ".join(first.aliases), ", ".join(second.aliases), "")
    table.add_row("sha256", first.sha256[:_SHORT], second.sha256[:_SHORT], "")
    for part in PARTS:
        differences: Sequence[Difference] = [
            each for each in getattr(comparison, part) if (part, each.name) != ("tags", PROFILE)
        ]
        if differences:
            table.add_row(Text(part, style="bold"))
        for difference in differences:
            change = difference.change if part == "metrics" else None
            table.add_row(
                f"  {plain(difference.name)}",
                *(_side(value, part) for value in difference.values),
                "" if change is None else f"{change:+.{_DECIMALS}f}",
            )
    if layers:
        table.add_row(Text("weights", style="bold"), "", "", "of the norm")
    for layer in layers:
        shapes = [
            "none" if s is None else " × ".join(map(str, s)) for s in (layer.first, layer.second)
        ]
        distance = "" if layer.distance is None else f"{layer.distance:.1%}"
        table.add_row(f"  {layer.layer}", *shapes, distance)
    note = "The weights are identical." if comparison.same_weights else ""
    return Group(table, *([Text(note)] if note else []))


def history_table(history: Sequence[Event]) -> RenderableType:
    """Return a row for each event, and why it happened."""
    if not history:
        return Text("No events.")
    is_wide = width() >= _WIDE
    table = Table("event", "when (UTC)", box=None, pad_edge=False)
    table.columns[1].no_wrap = True
    table.add_column("what", overflow="fold")
    table.add_column("who", overflow="fold")
    if is_wide:
        table.add_column("hash")
        table.add_column("why", overflow="fold")
    for event in history:
        why = plain(event_reason(event))
        table.add_row(
            str(event.seq),
            moment(event.at) if is_wide else _minute(event.at),
            event_text(event),
            plain(event.actor or ""),
            *([event.hash[:_SHORT], why] if is_wide else []),
        )
        if why and not is_wide:
            table.add_row("", "", Text(why, style="dim"), "")
    return table


def findings_table(findings: Sequence[Finding]) -> RenderableType:
    """Return a line for each finding, and a verdict."""
    styles = {"error": "red", "warning": "yellow"}
    lines = [Text(plain(finding), style=styles[finding.severity]) for finding in findings]
    errors = sum(finding.severity == "error" for finding in findings)
    verdict = (
        Text("1 error." if errors == 1 else f"{errors} errors.", style="bold red")
        if errors
        else Text("Everything is as it was registered.", style="green")
    )
    return Group(*lines, verdict)


def tags_text(tags: Mapping[str, str]) -> str:
    """Return the tags that people set; the profile, which is for comparing batches, is left out."""
    pairs = [f"{name}={value}" for name, value in tags.items() if name != PROFILE]
    return plain(", ".join(pairs) or "none")


def event_text(event: Event) -> str:
    """Return what happened, in a line."""
    version = f"{event.name}/{event.number}"
    alias = f"{event.name}@{event.alias}"
    previous = event.details.get("from")
    origin = f", from {event.name}/{previous}" if previous else ""
    forced = ", forced: its gate was not passed" if event.details.get("forced") else ""
    return {
        "deleted": f"{version} deleted",
        "tagged": f"{version} has the tags: {tags_text(event.details.get('tags', {}))}",
        "described": plain(f"{version}: {event.details.get('description') or 'no description'}"),
        "model_described": plain(
            f"{event.name}: {event.details.get('description') or 'no description'}"
        ),
        "protected": f"{alias} protected; approvals needed: {event.details.get('approvals')}",
        "unprotected": f"{alias} not protected any more",
        "proposed": f"{version} proposed for {alias}",
        "approved": f"{version} approved for {alias}",
        "refused": "candidate refused by the gate",
        "registered": f"{version} registered",
        "imported": f"{version} imported",
        "migrated": f"{version} migrated from an earlier release",
        "archived": f"{version} archived",
        "restored": f"{version} restored",
        "alias_moved": f"{alias} is {version}{origin}{forced}",
        "alias_rolled_back": f"{alias} is {version} again{origin}{forced}",
        "alias_removed": f"{alias} removed{origin}",
    }[event.kind]


def event_reason(event: Event) -> str:
    """Return why it happened: the reason that was given, or the checks that failed."""
    if event.kind != "refused":
        return str(event.details.get("reason", ""))
    return refusal_in_words(Check(**check) for check in event.details["candidate"]["gate"])


def _sparkline(versions: Sequence[ModelVersion]) -> list[RenderableType]:
    """Return a sparkline of the accuracies, oldest first, if there are at least three."""
    figures = [
        version.metrics["validation_accuracy"]
        for version in sorted(versions, key=lambda version: version.created_at)
        if "validation_accuracy" in version.metrics
    ][-_MAX_BARS:]
    if len(figures) < 3:
        return []
    low, high = min(figures), max(figures)
    bars = sparkline(figures, low)
    return [Text(f"validation accuracy, oldest first: {low:.4f} {bars} {high:.4f}")]


def _figure(version: ModelVersion, name: str) -> str:
    return f"{version.metrics[name]:.4f}" if name in version.metrics else ""


def _gate(version: ModelVersion) -> str:
    return {True: "passed", False: "failed", None: ""}[version.gate_passed]


def _side(value: object, part: str) -> str | Text:
    if value is None:
        return ""
    if part == "metrics" and isinstance(value, int | float):
        return Text(f"{value:.{_DECIMALS}f}", justify="right")
    return _value(value)[:_SHORT] if part == "inputs" else _value(value)


def _value(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else plain(value)


def _minute(value: datetime) -> str:
    return f"{value:%Y-%m-%d %H:%M}"
