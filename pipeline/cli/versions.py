"""The commands that ask about versions: versions, models, show, explain, compare and history."""

import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipeline.cli import running
from pipeline.cli.combinations import refuse_without_effect
from pipeline.cli.failures import FAILED
from pipeline.cli.messages import say
from pipeline.cli.moments import parse_moment
from pipeline.cli.options import Force, Json, Model, Reference
from pipeline.cli.overwriting import require_file

if TYPE_CHECKING:
    from registry import Registry

app = typer.Typer()

_Where = Annotated[
    str | None,
    typer.Option(
        metavar="EXPR",
        help="List the versions that match a condition on metrics.NAME, params.NAME, "
        "tags.NAME, inputs.ROLE, environment.NAME, alias, number, state, gate, created_at, … "
        "with = != < <= > >=, in (…), like '…%', and, or, not.",
    ),
]
_Sort = Annotated[
    str | None,
    typer.Option(
        metavar="KEY", help="number, created_at or metrics.NAME, followed by desc or asc."
    ),
]
_Format = Annotated[
    Literal["table", "json", "csv", "parquet"],
    typer.Option("--format", help="csv and parquet have a column for each value."),
]

_At = Annotated[
    datetime | None,
    typer.Option(
        metavar="TIME",
        parser=parse_moment,
        help="Show it as it was then: at the end of a day (2026-11-20), of a minute "
        "(2026-11-20 18:00) or of a second, in UTC unless there is an offset (+01:00).",
    ),
]

# A metric in a condition.
_METRIC = re.compile(r"\bmetrics\.([A-Za-z0-9_.-]+)")

# Maximum number of events in a table.
_EVENTS = 50


@app.command(
    epilog='Example: digits versions --where "metrics.test_accuracy >= 0.99 and tags.team = '
    "'ocr'\" --sort 'metrics.test_accuracy desc' --limit 10"
)
def versions(
    context: typer.Context,
    *,
    where: _Where = None,
    sort: _Sort = None,
    limit: Annotated[
        int | None, typer.Option(min=1, max=1_000_000_000, help="Maximum number of rows.")
    ] = None,
    after: Annotated[
        str | None,
        typer.Option(metavar="REF", help="The last version of the previous page."),
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", help="List only the versions of this model.")
    ] = None,
    format_: _Format = "table",
    json: Json = False,
) -> None:
    """List versions, newest first, or search them.

    The exit status is 1 if the record of one of them was edited or lost.
    """
    from pipeline.models import full_reference, open_registry
    from pipeline.reporting.frames import write_frame
    from pipeline.reporting.registry_json import version_json
    from pipeline.reporting.registry_tables import versions_table
    from pipeline.reporting.text import show, show_json
    from registry import versions_frame

    if json and format_ != "json":
        refuse_without_effect(context, "with --json", {"format_"})
    last = None if after is None else full_reference(after)
    with open_registry(create=False) as registry:
        rows = registry.versions(model, where=where, order_by=sort, limit=limit, after=last)
        if where is not None and not rows:
            _name_unknown_metrics(registry, model, where)
    if json or format_ == "json":
        show_json([version_json(version) for version in rows])
    elif format_ != "table":
        write_frame(versions_frame(rows), format_)
    else:
        show(versions_table(rows, is_search=where is not None or after is not None))
    damaged = [version.reference for version in rows if version.state == "damaged"]
    if damaged:
        say(
            f"Damaged: {', '.join(damaged)}. `digits verify` shows what was edited or lost.",
            err=True,
        )
        raise typer.Exit(FAILED)


def _name_unknown_metrics(registry: "Registry", model: str | None, where: str) -> None:
    """Say which metrics of a condition no version has: probably they are misspelt."""
    asked = dict.fromkeys(_METRIC.findall(where))
    unknown = [
        name for name in asked if not registry.versions(model, order_by=f"metrics.{name}", limit=1)
    ]
    newest = registry.versions(model, limit=1)
    if unknown and newest:
        known = ", ".join(newest[0].metrics) or "none"
        say(
            f"No version has a metric {' or '.join(unknown)}. {newest[0].reference} has: {known}.",
            err=True,
        )


@app.command(epilog="Example: digits models")
def models(*, json: Json = False) -> None:
    """List the registered models with their aliases."""
    from pipeline.models import open_registry
    from pipeline.reporting.registry_json import model_json
    from pipeline.reporting.registry_tables import models_table
    from pipeline.reporting.text import show, show_json

    with open_registry(create=False) as registry:
        registered = registry.models()
    if json:
        show_json([model_json(model) for model in registered])
    else:
        show(models_table(registered))


@app.command(epilog="Example: digits show @champion --at 2026-11-01")
def show(
    *,
    reference: Reference,
    at: _At = None,
    json: Json = False,
) -> None:
    """Show one version in full."""
    from pipeline.models import CHAMPION, full_reference, open_registry
    from pipeline.reporting import text
    from pipeline.reporting.explanations import why_in_use
    from pipeline.reporting.registry_json import version_json
    from pipeline.reporting.registry_tables import version_card

    with open_registry(create=False) as registry:
        version = registry.get(full_reference(reference), at=at)
        why = None if json else why_in_use(registry, version, CHAMPION, at)
    if json:
        text.show_json(version_json(version))
    else:
        text.show(version_card(version, why))


@app.command(epilog="Example: digits explain @champion --at 2026-11-24")
def explain(
    *,
    alias: Annotated[
        str, typer.Argument(metavar="ALIAS", help="An alias: @champion, mnist@champion.")
    ] = "@champion",
    at: _At = None,
    json: Json = False,
) -> None:
    """Explain an alias: which version it was, since when, until when, and why it came and went."""
    from pipeline.models import full_reference, open_registry
    from pipeline.reporting import text
    from pipeline.reporting.explanations import (
        explain_alias,
        explanation_card,
        explanation_json,
    )

    name, mark, short = full_reference(alias).partition("@")
    if not mark:
        raise typer.BadParameter(f"expected an alias such as @champion, got {alias!r}.")
    with open_registry(create=False) as registry:
        explanation = explain_alias(registry, name, short, at)
    if json:
        text.show_json(explanation_json(explanation))
    else:
        text.show(explanation_card(explanation))


@app.command(epilog="Example: digits compare @champion 7")
def compare(
    *,
    first: Annotated[str, typer.Argument(metavar="REF", help="A version.")],
    second: Annotated[str, typer.Argument(metavar="REF", help="Another version.")],
    json: Json = False,
) -> None:
    """Show how two versions differ, including their weights, layer by layer."""
    from nn import WeightsError
    from pipeline.models import full_reference, open_registry
    from pipeline.reporting.registry_json import comparison_json
    from pipeline.reporting.registry_tables import comparison_table
    from pipeline.reporting.text import show, show_json
    from pipeline.training.weight_diff import differing_layers

    references = full_reference(first), full_reference(second)
    with open_registry(create=False) as registry:
        comparison = registry.compare(*references)
        layers = []
        if not comparison.same_weights:
            a, b = (registry.load(v.reference) for v in (comparison.first, comparison.second))
            try:
                layers = differing_layers(a, b)
            except WeightsError as error:
                say(f"The weights are not compared layer by layer. {error}", err=True)
    if json:
        show_json(comparison_json(comparison, layers))
    else:
        show(comparison_table(comparison, layers))


@app.command(epilog="Example: digits history --alias champion")
def history(
    *,
    model: Model = "mnist",
    alias: Annotated[str | None, typer.Option(help="Show only the moves of this alias.")] = None,
    limit: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=1_000_000_000,
            help="Maximum number of events; by default 50 in a table, and all of them in JSON.",
        ),
    ] = None,
    before: Annotated[
        int | None,
        typer.Option(min=1, max=1_000_000_000, help="Show the events before the one with this #."),
    ] = None,
    json: Json = False,
) -> None:
    """Show what happened to a model, when, and by whom; newest first."""
    from pipeline.models import open_registry
    from pipeline.reporting.registry_json import event_json
    from pipeline.reporting.registry_tables import history_table
    from pipeline.reporting.text import show, show_json

    with open_registry(create=False) as registry:
        if limit is None and not json:
            limit = _EVENTS
        events = registry.history(model, alias=alias, limit=limit, before=before)
    if json:
        show_json([event_json(event) for event in events])
        return
    show(history_table(events))
    if len(events) == limit and events[-1].seq > 1:
        say(f"Earlier events: --before {events[-1].seq}.", err=True)


@app.command(epilog="Example: digits card @champion --output README.md")
def card(
    context: typer.Context,
    *,
    reference: Reference,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="A file .md or .html; the terminal by default."
        ),
    ] = None,
    force: Force = False,
) -> None:
    """Write the model card of a version, with figures that are measured now."""
    from pipeline import files
    from pipeline.jobs.card import model_card
    from pipeline.reporting.model_card import card_html, card_markdown

    if output is None:
        refuse_without_effect(context, "without --output", {"force"})
    if output is not None and output.suffix not in {".md", ".html"}:
        raise typer.BadParameter("--output: expected a file that ends in .md or .html.")
    if output is not None:
        require_file(output, force=force)
    measured = running.call(model_card, reference)
    is_page = output is not None and output.suffix == ".html"
    text = card_html(measured) if is_page else card_markdown(measured)
    if output is None:
        typer.echo(text, nl=False)
        return
    with files.atomic_write(output) as temporary:
        temporary.write_text(text, encoding="utf-8")
    say(f"The card of {measured.version.reference} is in {output}.")
