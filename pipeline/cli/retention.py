"""The commands that delete versions: delete and prune."""

import re
from datetime import timedelta
from typing import Annotated

import typer

from pipeline.cli.messages import say
from pipeline.cli.options import Json, Model, Reason, Reference

app = typer.Typer()

_HOURS = {"h": 1, "d": 24, "w": 7 * 24}


def parse_age(text: str) -> timedelta:
    """Return an age such as ``90d``, ``12h`` or ``4w``."""
    match = re.fullmatch(r"([0-9]{1,5})([hdw])", text)
    if match is None:
        raise typer.BadParameter(f"expected hours, days or weeks (12h, 90d, 4w), got {text!r}.")
    return timedelta(hours=int(match[1]) * _HOURS[match[2]])


@app.command(epilog="Example: digits delete mnist/3 --reason 'trained on wrong labels'")
def delete(*, reference: Reference, reason: Reason = None, json: Json = False) -> None:
    """Delete a version and its weights. Its history stays, and its number is not given again.

    A version that an alias points at or would after a rollback is not deleted, and neither is the
    only version of a model.
    """
    from dataclasses import asdict

    from pipeline.models import full_reference, open_registry
    from pipeline.reporting.text import show_json

    with open_registry(create=False) as registry:
        result = registry.delete(full_reference(reference), reason=reason)
    if json:
        show_json(asdict(result))
    else:
        say(f"Deleted {result.versions[0]}; its weights had {result.size:,} bytes.")


@app.command(epilog="Example: digits prune --keep 30 --older-than 90d --dry-run")
def prune(
    *,
    model: Model = "mnist",
    keep: Annotated[
        int, typer.Option(min=1, max=1_000_000_000, help="The newest versions that stay.")
    ],
    older_than: Annotated[
        timedelta | None,
        typer.Option(
            metavar="AGE", parser=parse_age, help="Delete only what is older: 12h, 90d, 4w."
        ),
    ] = None,
    reason: Reason = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be deleted.")] = False,
    json: Json = False,
) -> None:
    """Delete old versions, and the labelled images and runs that no version needs any more.

    Versions that an alias points at, or would after a rollback, stay in any case.
    """
    from dataclasses import asdict

    from pipeline.jobs.pruning import prune as prune_job
    from pipeline.reporting.text import show_json
    from pipeline.summaries import counted

    pruned = prune_job(keep, older_than=older_than, reason=reason, dry_run=dry_run, model=model)
    if json:
        paths = list(map(str, pruned.files))
        show_json({**asdict(pruned.versions), "files": paths, "file_size": pruned.size})
        return
    versions = pruned.versions
    verb = "Would delete" if dry_run else "Deleted"
    say(
        f"{verb} {counted(len(versions.versions), 'version')} "
        f"({', '.join(versions.versions) or 'none'}): "
        f"{counted(versions.blobs, 'file')} of weights, {counted(versions.size, 'byte')}."
    )
    say(
        f"{verb} {counted(len(pruned.files), 'file or directory', 'files and directories')} of "
        f"labelled images and runs, {counted(pruned.size, 'byte')}."
    )
