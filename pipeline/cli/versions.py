"""The commands that ask about versions: versions, show, compare and history."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from pipeline.cli.options import Json, Model, Reference

app = typer.Typer()


@app.command(
    epilog='Example: digits versions --where "metrics.test_accuracy >= 0.99 and tags.team = '
    "'ocr'\" --sort 'metrics.test_accuracy desc' --limit 10"
)
def versions(
    *,
    where: Annotated[
        str | None,
        typer.Option(
            metavar="EXPR",
            help="List the versions that match a condition on metrics.NAME, params.NAME, "
            "tags.NAME, inputs.ROLE, environment.NAME, alias, number, state, gate, created_at, … "
            "with = != < <= > >=, in (…), like '…%', and, or, not.",
        ),
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(
            metavar="KEY", help="number, created_at or metrics.NAME, followed by desc or asc."
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, max=1_000_000_000, help="Maximum number of rows.")
    ] = None,
    after: Annotated[
        str | None,
        typer.Option(metavar="REF", help="The last version of the previous page."),
    ] = None,
    json: Json = False,
) -> None:
    """List versions, newest first, or search them."""
    from pipeline.models import full_reference, open_registry
    from pipeline.reporting.registry_json import version_json
    from pipeline.reporting.registry_tables import versions_table
    from pipeline.reporting.text import show, show_json

    last = None if after is None else full_reference(after)
    with open_registry() as registry:
        rows = registry.versions(where=where, order_by=sort, limit=limit, after=last)
    if json:
        show_json([version_json(version) for version in rows])
    else:
        show(versions_table(rows, is_search=where is not None or after is not None))


@app.command(epilog="Example: digits show @champion --at 2026-11-01")
def show(
    *,
    reference: Reference,
    at: Annotated[
        datetime | None, typer.Option(help="Show what an alias pointed at then, in UTC.")
    ] = None,
    json: Json = False,
) -> None:
    """Show one version in full."""
    from pipeline.models import full_reference, open_registry
    from pipeline.reporting import text
    from pipeline.reporting.registry_json import version_json
    from pipeline.reporting.registry_tables import version_card

    moment = None if at is None else at.replace(tzinfo=UTC)
    with open_registry() as registry:
        version = registry.get(full_reference(reference), at=moment)
    if json:
        text.show_json(version_json(version))
    else:
        text.show(version_card(version))


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
    with open_registry() as registry:
        comparison = registry.compare(*references)
        layers = []
        if not comparison.same_weights:
            a, b = (registry.load(v.reference) for v in (comparison.first, comparison.second))
            try:
                layers = differing_layers(a, b)
            except WeightsError as error:
                typer.echo(f"The weights are not compared layer by layer. {error}", err=True)
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
        int, typer.Option(min=1, max=1_000_000_000, help="Maximum number of rows.")
    ] = 50,
    json: Json = False,
) -> None:
    """Show what happened to a model, when, and by whom; newest first."""
    from pipeline.models import open_registry
    from pipeline.reporting.registry_json import event_json
    from pipeline.reporting.registry_tables import history_table
    from pipeline.reporting.text import show, show_json

    with open_registry() as registry:
        events = registry.history(model, alias=alias, limit=limit)
    if json:
        show_json([event_json(event) for event in events])
    else:
        show(history_table(events))
