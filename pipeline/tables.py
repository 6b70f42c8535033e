"""What the command line answers: Rich tables, and JSON with the keys of the records."""

import json
import unicodedata
from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.retraining import Retraining
from pipeline.scoring import Scoring
from registry import ModelVersion

# Columns where there is no terminal to fit: enough for every line to stay whole.
_WIDE = 200


def show(*renderables: RenderableType) -> None:
    """Print to standard output."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDE
    console.print(Group(*renderables))


def show_json(value: Any) -> None:
    """Print a value as JSON."""
    print(json.dumps(value, indent=2))  # noqa: T201 - to be read by programs, as it is


def as_json(version: ModelVersion) -> dict[str, Any]:
    """Return the record as what JSON can hold, under the same keys."""
    values = {field.name: getattr(version, field.name) for field in fields(version)}
    for name in ("metrics", "params", "tags", "inputs"):
        values[name] = dict(values[name])
    values["aliases"] = list(version.aliases)
    values["created_at"] = version.created_at.isoformat()
    return values


def versions_table(versions: Sequence[ModelVersion]) -> RenderableType:
    """Return a row for each version."""
    if not versions:
        return Text("No versions yet. `digits retrain` makes the first.")
    table = Table("version", "aliases", "created (UTC)", box=None, pad_edge=False)
    for heading in ("validation", "test"):
        table.add_column(heading, justify="right")
    table.add_column("preset")
    table.add_column("sha256")
    for version in versions:
        table.add_row(
            version.reference,
            ", ".join(version.aliases),
            _moment(version.created_at),
            *(_figure(version, name) for name in ("validation_accuracy", "test_accuracy")),
            _plain(version.params.get("preset", "")),
            version.sha256[:12],
        )
    return table


def version_card(version: ModelVersion) -> RenderableType:
    """Return everything about one version."""
    table = _card(version.reference)
    table.add_row("aliases", ", ".join(version.aliases) or "none")
    table.add_row("state", version.state)
    table.add_row("created (UTC)", _moment(version.created_at))
    table.add_row("sha256", version.sha256)
    table.add_row("size", f"{version.size:,} bytes")
    table.add_row("run id", _plain(version.run_id or "none"))
    for heading in ("metrics", "params", "tags", "inputs"):
        for name, value in getattr(version, heading).items():
            shown = f"{value:.6g}" if isinstance(value, float) else _plain(value)
            table.add_row(f"{heading}.{_plain(name)}", shown)
    return table


def retraining_card(retraining: Retraining) -> RenderableType:
    """Return the outcome of a retraining, with its figures."""
    version = retraining.version
    title = f"{version.reference} {retraining.outcome}" if version else "Refused by the gate"
    table = _card(title, style="bold green" if version else "bold red")
    for check in retraining.verdict.checks:
        table.add_row("gate", Text(str(check), style="green" if check.passed else "red"))
    for name, value in retraining.candidate.metrics.items():
        table.add_row(name, f"{value:.4f}")
    if version:
        table.add_row("aliases", ", ".join(version.aliases) or "none")
    table.add_row("sha256", retraining.candidate.sha256)
    table.add_row("record", str(retraining.record))
    return table


def scoring_table(scoring: Scoring) -> RenderableType:
    """Return the counts of a scoring, by digit, and what could not be scored."""
    table = Table(title=f"Scored with {scoring.version.reference}", title_justify="left", box=None)
    for heading in ("digit", "images", "mean confidence"):
        table.add_column(heading, justify="right")
    for digit, found in scoring.digits.items():
        confidence = f"{found.mean_confidence:.3f}" if found.count else ""
        table.add_row(str(digit), f"{found.count:,}", confidence)
    rate = scoring.files / scoring.seconds
    lines = [f"{scoring.files:,} files in {scoring.seconds:.1f} s ({rate:,.0f} a second)"]
    if scoring.accuracy is not None:
        lines.append(
            f"{scoring.correct:,} of {scoring.labelled:,} labelled images right: "
            f"accuracy {scoring.accuracy:.4f}"
        )
    lines += [f"{count:,} not scored: {reason}" for reason, count in sorted(scoring.errors.items())]
    lines.append(f"Predictions: {scoring.path}")
    return Group(table, Text("\n".join(lines)))


def _card(title: str, style: str = "bold") -> Table:
    table = Table(title=title, title_style=style, title_justify="left", box=None, show_header=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _figure(version: ModelVersion, name: str) -> str:
    return f"{version.metrics[name]:.4f}" if name in version.metrics else ""


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def _plain(value: object) -> str:
    # What a terminal would obey rather than show is left out.
    return "".join(c for c in str(value) if unicodedata.category(c) != "Cc")
