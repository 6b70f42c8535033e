"""Records of the registry as Rich tables."""

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.metrics.drift import PROFILE
from pipeline.reporting.registry_json import PARTS
from pipeline.reporting.text import card, moment, plain, sparkline
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

# Maximum number of bars in a sparkline.
_MAX_BARS = 60


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
    table = Table("version", "aliases", "created (UTC)", box=None, pad_edge=False)
    for heading in ("validation", "test"):
        table.add_column(heading, justify="right")
    for heading in ("preset", "gate", "state", "sha256"):
        table.add_column(heading)
    for version in versions:
        table.add_row(
            version.reference,
            ", ".join(version.aliases),
            moment(version.created_at),
            *(_figure(version, name) for name in ("validation_accuracy", "test_accuracy")),
            plain(version.params.get("preset", "")),
            _gate(version),
            version.state,
            version.sha256[:12],
        )
    return Group(table, *_sparkline(versions))


def version_card(version: ModelVersion) -> RenderableType:
    """Return everything about one version."""
    table = card(version.reference)
    table.add_row("aliases", ", ".join(version.aliases) or "none")
    table.add_row("state", version.state)
    created_by = f" by {plain(version.created_by)}" if version.created_by else ""
    table.add_row("created (UTC)", moment(version.created_at) + created_by)
    if version.description:
        table.add_row("description", plain(version.description))
    if version.origin is not None:
        table.add_row("copy of", plain(f"{version.origin.reference} in {version.origin.registry}"))
    table.add_row("sha256", version.sha256)
    table.add_row("size", f"{version.size:,} bytes")
    for name in ("parent", "code_version", "run_id"):
        table.add_row(name.replace("_", " "), plain(getattr(version, name) or "none"))
    for check in version.gate:
        word, style = ("passed", "green") if check.passed else ("failed", "red")
        table.add_row("gate", Text(f"{plain(check)}, {word}", style=style))
    if not version.gate:
        table.add_row("gate", "none recorded")
    for part in PARTS:
        for name, value in getattr(version, part).items():
            table.add_row(f"{part}.{plain(name)}", _value(value))
    return table


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
    table.add_column("why", overflow="fold")
    for proposal in proposals:
        table.add_row(
            proposal.version,
            proposal.alias,
            plain(proposal.proposed_by),
            moment(proposal.proposed_at),
            plain(", ".join(proposal.approved_by)),
            str(proposal.approvals_needed),
            plain(proposal.reason or ""),
        )
    return table


def comparison_table(comparison: Comparison, layers: Sequence[LayerDifference]) -> RenderableType:
    """Return the differences of two versions, side by side."""
    first, second = comparison.first, comparison.second
    table = Table("", first.reference, second.reference, box=None, pad_edge=False)
    table.add_column("change", justify="right")
    table.add_row("created (UTC)", moment(first.created_at), moment(second.created_at), "")
    table.add_row("aliases", ", ".join(first.aliases), ", ".join(second.aliases), "")
    table.add_row("sha256", first.sha256[:12], second.sha256[:12], "")
    for part in PARTS:
        differences: Sequence[Difference] = getattr(comparison, part)
        for difference in differences:
            change = difference.change if part == "metrics" else None
            table.add_row(
                f"{part}.{plain(difference.name)}",
                *(_side(value) for value in (difference.first, difference.second)),
                "" if change is None else f"{change:+.6g}",
            )
    for layer in layers:
        distance = "" if layer.distance is None else f"{layer.distance:.1%} of its norm"
        shapes = [
            "none" if s is None else " × ".join(map(str, s)) for s in (layer.first, layer.second)
        ]
        table.add_row(layer.layer, *shapes, distance)
    note = "The weights are identical." if comparison.same_weights else ""
    return Group(table, *([Text(note)] if note else []))


def history_table(history: Sequence[Event]) -> RenderableType:
    """Return a row for each event."""
    if not history:
        return Text("No events.")
    table = Table("event", "when (UTC)", "what", "who", "hash", box=None, pad_edge=False)
    table.add_column("why", overflow="fold")
    for event in history:
        table.add_row(
            str(event.seq),
            moment(event.at),
            event_text(event),
            plain(event.actor or ""),
            event.hash[:12],
            plain(event_reason(event)),
        )
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
    checks = [Check(**check) for check in event.details["candidate"]["gate"]]
    return "; ".join(str(check) for check in checks if not check.passed)


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


def _side(value: object) -> str:
    return "" if value is None else _value(value)


def _value(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else plain(value)
