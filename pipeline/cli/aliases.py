"""The commands that change which version is in use: promote, rollback, unalias, archive."""

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.messages import say
from pipeline.cli.options import Alias, Json, Model, Reference

if TYPE_CHECKING:
    from registry import Event

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
    after_shadow: Annotated[
        bool,
        typer.Option(
            "--after-shadow",
            help="Only if the version was not worse in the shadow of the one that it replaces, on "
            "the images that are labelled or reviewed.",
        ),
    ] = False,
    reason: Annotated[str | None, typer.Option(help="Why, for the history.")] = None,
    json: Json = False,
) -> None:
    """Point an alias at a version."""
    from pipeline.models import full_reference, open_registry

    with open_registry(create=False) as registry:
        version = registry.get(full_reference(reference))
        if after_shadow:
            from pipeline.review.shadow_trial import require_shadow_trial
            from pipeline.settings import load_settings

            current = registry.get(f"{version.name}@{alias}")
            trial = require_shadow_trial(load_settings(), registry, current, version)
            reason = f"{reason}; {trial}" if reason else str(trial)
        version = registry.set_alias(
            version.name, alias, version.number, force=force, reason=reason
        )
        move = registry.history(version.name, alias=alias, limit=1)[0]
    _show_move(move, json=json)


@app.command(epilog="Example: digits rollback --expected 7 --reason 'reads sevens as ones'")
def rollback(
    *,
    model: Model = "mnist",
    alias: Alias = "champion",
    to: Annotated[
        str | None,
        typer.Option(metavar="REF", help="An earlier version of the alias, to go back further."),
    ] = None,
    expected: Annotated[
        str | None,
        typer.Option(
            metavar="REF",
            help="The version that the alias points at now. If it does not, nothing is changed: "
            "of two people who roll back at once, only one goes back.",
        ),
    ] = None,
    reason: Annotated[str | None, typer.Option(help="Why, for the history.")] = None,
    json: Json = False,
) -> None:
    """Point an alias at the version it pointed at before."""
    from pipeline.models import open_registry

    with open_registry(create=False) as registry:
        current = registry.alias(model, alias)
        if expected is not None and _number(expected, model) != current.number:
            from registry import ConflictError

            raise ConflictError(
                f"{model}@{alias} is {current.reference}, not {expected}. Nothing was changed."
            )
        registry.rollback(
            model,
            alias,
            to=None if to is None else _number(to, model),
            expected=None if expected is None else current,
            reason=reason,
        )
        move = registry.history(model, alias=alias, limit=1)[0]
    _show_move(move, json=json)


@app.command(epilog="Example: digits unalias canary")
def unalias(
    *,
    alias: Annotated[str, typer.Argument(metavar="ALIAS", help="The alias to remove.")],
    model: Annotated[str, typer.Option("--model", help="The registered model.")] = "mnist",
    json: Json = False,
) -> None:
    """Remove an alias. Its version stays."""
    from pipeline.models import open_registry
    from pipeline.reporting.text import show_json

    with open_registry(create=False) as registry:
        version = registry.alias(model, alias).reference
        registry.delete_alias(model, alias)
    if json:
        show_json({"alias": f"{model}@{alias}", "version": None, "from": version})
    else:
        say(f"{model}@{alias} is removed (before: {version}).")


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

    with open_registry(create=False) as registry:
        change = registry.restore if undo else registry.archive
        version = change(full_reference(reference))
    if json:
        show_json(version_json(version))
    else:
        say(f"{version.reference} is {version.state} now.")


def _number(reference: str, model: str) -> int:
    """Return the number in ``7`` or ``mnist/7``."""
    number = reference.removeprefix(f"{model}/")
    if not number.isdecimal():
        raise typer.BadParameter(f"expected a version of {model}, {model}/7 or 7: {reference!r}.")
    return int(number)


def _show_move(move: "Event", *, json: bool) -> None:
    from pipeline.reporting.registry_json import move_json
    from pipeline.reporting.text import show_json

    content = move_json(move)
    if json:
        show_json(content)
        return
    before = f" (before: {content['from']})" if content["from"] else ""
    say(f"{content['alias']} is {content['version']} now{before}.")
