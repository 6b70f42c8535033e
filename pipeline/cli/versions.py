"""The commands that ask about versions, and those that look after the registry."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

EXIT_FAILED = 1

app = typer.Typer()

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Ref = Annotated[str, typer.Argument(metavar="REF", help="mnist@champion, mnist/7, @champion, 7.")]
Alias = Annotated[str, typer.Option(help="The alias to move.")]
Model = Annotated[str, typer.Argument(metavar="MODEL", help="The registered model.")]


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
            help="Only those for which this holds: metrics.NAME, params.NAME, tags.NAME, "
            "inputs.ROLE, environment.NAME, alias, number, state, gate, created_at, … with = != < "
            "<= > >=, in (…), like '…%', and, or, not.",
        ),
    ] = None,
    sort: Annotated[
        str | None,
        typer.Option(metavar="KEY", help="number, created_at or metrics.NAME; with desc or asc."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many.")] = None,
    after: Annotated[
        str | None,
        typer.Option(metavar="REF", help="Those that follow this one: the next page."),
    ] = None,
    json: Json = False,
) -> None:
    """List the versions, newest first, or search them."""
    from pipeline.models import full_reference, open_registry
    from pipeline.reporting.registry_tables import version_json, versions_table
    from pipeline.reporting.text import show, show_json

    last = None if after is None else full_reference(after)
    with open_registry() as registry:
        found = registry.versions(where=where, order_by=sort, limit=limit, after=last)
    if json:
        show_json([version_json(version) for version in found])
    else:
        is_all = where is None and after is None
        show(versions_table(found, is_all=is_all))


@app.command(epilog="Example: digits show @champion --at 2026-11-01")
def show(
    *,
    reference: Ref,
    at: Annotated[
        datetime | None, typer.Option(help="What the alias meant at that time, in UTC.")
    ] = None,
    json: Json = False,
) -> None:
    """Show one version in full."""
    from pipeline.models import full_reference, open_registry
    from pipeline.reporting.registry_tables import version_card, version_json
    from pipeline.reporting.text import show as show_table
    from pipeline.reporting.text import show_json

    moment = None if at is None else at.replace(tzinfo=UTC)
    with open_registry() as registry:
        version = registry.get(full_reference(reference), at=moment)
    if json:
        show_json(version_json(version))
    else:
        show_table(version_card(version))


@app.command(epilog="Example: digits compare @champion 7")
def compare(
    *,
    first: Annotated[str, typer.Argument(metavar="REF", help="The one.")],
    second: Annotated[str, typer.Argument(metavar="REF", help="The other.")],
    json: Json = False,
) -> None:
    """Show how two versions differ, their weights layer by layer included."""
    from nn import WeightsError
    from pipeline.models import full_reference, open_registry
    from pipeline.reporting.registry_tables import comparison_json, comparison_table
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
                typer.echo(f"Their weights are not compared layer by layer. {error}", err=True)
    if json:
        show_json(comparison_json(comparison, layers))
    else:
        show(comparison_table(comparison, layers))


@app.command(epilog="Example: digits promote 7")
def promote(
    *,
    reference: Ref,
    alias: Alias = "champion",
    force: Annotated[
        bool,
        typer.Option("--force", help="Even if no gate let it pass. The history will say so."),
    ] = False,
    reason: Annotated[str | None, typer.Option(help="Why, for the history.")] = None,
    json: Json = False,
) -> None:
    """Point an alias at a version."""
    from pipeline.models import full_reference, open_registry

    with open_registry() as registry:
        version = registry.get(full_reference(reference))
        version = registry.set_alias(
            version.name, alias, version.number, force=force, reason=reason
        )
    _tell_version(version.name, alias, version.reference, json=json)


@app.command(epilog="Example: digits rollback")
def rollback(*, model: Model = "mnist", alias: Alias = "champion", json: Json = False) -> None:
    """Point an alias at the version it pointed at before."""
    from pipeline.models import open_registry

    with open_registry() as registry:
        version = registry.rollback(model, alias)
    _tell_version(model, alias, version.reference, json=json)


@app.command(epilog="Example: digits archive 3")
def archive(
    *,
    reference: Ref,
    undo: Annotated[bool, typer.Option("--undo", help="Take it back into use.")] = False,
    json: Json = False,
) -> None:
    """Take a version out of use. It is kept, and no alias can point at it."""
    from pipeline.models import full_reference, open_registry
    from pipeline.reporting.registry_tables import version_json
    from pipeline.reporting.text import show_json

    with open_registry() as registry:
        change = registry.restore if undo else registry.archive
        version = change(full_reference(reference))
    if json:
        show_json(version_json(version))
    else:
        typer.echo(f"{version.reference} is {version.state} now.")


@app.command(epilog="Example: digits history --alias champion")
def history(
    *,
    model: Model = "mnist",
    alias: Annotated[str | None, typer.Option(help="Only the moves of this alias.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="The last so many.")] = 50,
    json: Json = False,
) -> None:
    """Show what happened to a model, when, and by whom; the last first."""
    from pipeline.models import open_registry
    from pipeline.reporting.registry_tables import event_json, history_table
    from pipeline.reporting.text import show, show_json

    with open_registry() as registry:
        found = registry.history(model, alias=alias, limit=limit)
    if json:
        show_json([event_json(event) for event in found])
    else:
        show(history_table(found))


@app.command(epilog="Example: digits verify")
def verify(
    *,
    reference: Annotated[
        str | None, typer.Argument(metavar="[REF]", help="Only this version.")
    ] = None,
    json: Json = False,
) -> None:
    """Look for what is wrong: in the database, the history, the weights.

    The exit status is 1 where anything registered is wrong or lost. Warnings leave it at 0.
    """
    from dataclasses import asdict

    from pipeline.models import full_reference, open_registry
    from pipeline.reporting.registry_tables import findings_table
    from pipeline.reporting.text import show, show_json

    with open_registry() as registry:
        found = list(registry.verify(None if reference is None else full_reference(reference)))
    if json:
        show_json([asdict(finding) for finding in found])
    else:
        show(findings_table(found))
    if any(finding.severity == "error" for finding in found):
        raise typer.Exit(EXIT_FAILED)


@app.command(epilog="Example: digits gc --dry-run")
def gc(
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only say what would be removed.")
    ] = False,
    hours: Annotated[
        float, typer.Option(min=0, help="Only what has not changed for so long.")
    ] = 1.0,
    json: Json = False,
) -> None:
    """Remove weights that no version refers to, and what killed runs left."""
    from dataclasses import asdict

    from pipeline.models import open_registry
    from pipeline.reporting.text import show_json

    with open_registry() as registry:
        found = registry.gc(grace=timedelta(hours=hours), dry_run=dry_run)
    if json:
        show_json(asdict(found))
    else:
        verb = "Would remove" if dry_run else "Removed"
        typer.echo(
            f"{verb} {found.blobs:,} blobs and {found.temporary_files:,} temporary files, "
            f"{found.size:,} bytes."
        )


@app.command(name="export", epilog="Example: digits export 7 mnist-7.tar")
def export_(
    *,
    selection: Annotated[
        str, typer.Argument(metavar="REF", help="A version; or a model, mnist, for all of it.")
    ],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")],
    json: Json = False,
) -> None:
    """Write versions with their weights and history to a file."""
    from pipeline.models import full_reference, open_registry
    from pipeline.reporting.text import show_json

    with open_registry() as registry:
        references = registry.export(full_reference(selection), file)
    if json:
        show_json({"versions": list(references), "file": str(file)})
    else:
        typer.echo(f"{', '.join(references)} in {file} ({file.stat().st_size:,} bytes).")


@app.command(name="import", epilog="Example: digits import mnist-7.tar")
def import_(
    *,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Of `digits export`.")],
    json: Json = False,
) -> None:
    """Add the versions of an export, under their numbers: all of them or none."""
    from dataclasses import asdict

    from pipeline.models import open_registry
    from pipeline.reporting.text import show_json

    with open_registry() as registry:
        found = registry.import_(file)
    if json:
        show_json(asdict(found))
    else:
        typer.echo(f"Added: {', '.join(found.added) or 'nothing'}.")
        if found.present:
            typer.echo(f"There already, the same: {', '.join(found.present)}.")


def _tell_version(model: str, alias: str, reference: str, *, json: bool) -> None:
    from pipeline.reporting.text import show_json

    if json:
        show_json({"alias": f"{model}@{alias}", "version": reference})
    else:
        typer.echo(f"{model}@{alias} is {reference} now.")
