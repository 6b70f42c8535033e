"""The commands that change which version is in use: promote, rollback and archive."""

from typing import Annotated

import typer

from pipeline.cli.options import Alias, Json, Model, Reference

app = typer.Typer()


@app.command(epilog="Example: digits promote 7")
def promote(
    *,
    reference: Reference,
    alias: Alias = "champion",
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Promote even if the gate was not passed. The history records it."
        ),
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
    _show_alias(version.name, alias, version.reference, json=json)


@app.command(epilog="Example: digits rollback")
def rollback(*, model: Model = "mnist", alias: Alias = "champion", json: Json = False) -> None:
    """Point an alias at the version it pointed at before."""
    from pipeline.models import open_registry

    with open_registry() as registry:
        version = registry.rollback(model, alias)
    _show_alias(model, alias, version.reference, json=json)


@app.command(epilog="Example: digits archive 3")
def archive(
    *,
    reference: Reference,
    undo: Annotated[bool, typer.Option("--undo", help="Restore an archived version.")] = False,
    json: Json = False,
) -> None:
    """Archive a version: it is kept, but no alias can point at it."""
    from pipeline.models import full_reference, open_registry
    from pipeline.reporting.registry_json import version_json
    from pipeline.reporting.text import show_json

    with open_registry() as registry:
        change = registry.restore if undo else registry.archive
        version = change(full_reference(reference))
    if json:
        show_json(version_json(version))
    else:
        typer.echo(f"{version.reference} is {version.state} now.")


def _show_alias(model: str, alias: str, reference: str, *, json: bool) -> None:
    from pipeline.reporting.text import show_json

    if json:
        show_json({"alias": f"{model}@{alias}", "version": reference})
    else:
        typer.echo(f"{model}@{alias} is {reference} now.")
