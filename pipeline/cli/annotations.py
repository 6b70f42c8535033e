"""The commands that say something about versions later: tag, untag and describe."""

from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.messages import say
from pipeline.cli.options import Json, Reference

if TYPE_CHECKING:
    from registry import ModelVersion

app = typer.Typer()


@app.command(epilog="Example: digits tag 7 reviewed=yes team=ocr")
def tag(
    *,
    reference: Reference,
    tags: Annotated[list[str], typer.Argument(metavar="NAME=VALUE…", help="The tags to set.")],
    json: Json = False,
) -> None:
    """Set tags of a version. The history records it."""
    from pipeline.models import full_reference, open_registry

    pairs = {}
    for text in tags:
        name, mark, value = text.partition("=")
        if not mark:
            raise typer.BadParameter(f"expected NAME=VALUE, got {text!r}.")
        pairs[name] = value
    with open_registry(create=False) as registry:
        version = registry.tag(full_reference(reference), pairs)
    _show(version, json=json)


@app.command(epilog="Example: digits untag 7 reviewed")
def untag(
    *,
    reference: Reference,
    names: Annotated[list[str], typer.Argument(metavar="NAME…", help="The tags to remove.")],
    json: Json = False,
) -> None:
    """Remove tags of a version. The history records it."""
    from pipeline.models import full_reference, open_registry

    with open_registry(create=False) as registry:
        version = registry.untag(full_reference(reference), *names)
    _show(version, json=json)


@app.command(epilog="Example: digits describe 7 'trained with the scans of June'")
def describe(
    *,
    selection: Annotated[
        str, typer.Argument(metavar="REF", help="A version, or a model: mnist/7, 7, mnist.")
    ],
    text: Annotated[
        str, typer.Argument(metavar="TEXT", help="The description; '' removes the present one.")
    ],
    json: Json = False,
) -> None:
    """Describe a version or a model. The history records it."""
    from pipeline.models import full_reference, open_registry
    from pipeline.reporting.registry_json import model_json
    from pipeline.reporting.text import show_json

    reference = full_reference(selection)
    with open_registry(create=False) as registry:
        if "/" in reference or "@" in reference:
            _show(registry.describe(reference, text), json=json)
            return
        model = registry.describe_model(reference, text)
    if json:
        show_json(model_json(model))
    else:
        say(f"{model.name}: {model.description or 'no description'}")


def _show(version: "ModelVersion", *, json: bool) -> None:
    from pipeline.reporting.registry_json import version_json
    from pipeline.reporting.registry_tables import tags_text
    from pipeline.reporting.text import plain, show_json

    if json:
        show_json(version_json(version))
        return
    say(f"{version.reference}, tags: {tags_text(version.tags)}")
    if version.description:
        say(plain(version.description))
