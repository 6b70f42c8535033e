"""The commands that move versions between registries: export and import."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import Json

app = typer.Typer()


@app.command(name="export", epilog="Example: digits export 7 mnist-7.tar")
def export_(
    *,
    selection: Annotated[
        str,
        typer.Argument(metavar="REF", help="A version, or a model for all its versions: mnist."),
    ],
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file to write; - for standard output.")
    ],
    json: Json = False,
) -> None:
    """Write versions to a file, with their weights and history."""
    from pipeline.models import full_reference, open_registry
    from pipeline.reporting.text import show_json

    with open_registry(create=False) as registry:
        target = Path("/dev/stdout") if str(file) == "-" else file
        references = registry.export(full_reference(selection), target)
    if str(file) == "-":
        typer.echo(f"{', '.join(references)}.", err=True)
    elif json:
        show_json({"versions": list(references), "file": str(file)})
    elif not file.is_file():
        typer.echo(f"{', '.join(references)} in {file}.")
    else:
        typer.echo(f"{', '.join(references)} in {file} ({file.stat().st_size:,} bytes).")


@app.command(name="import", epilog="Example: digits import mnist-7.tar")
def import_(
    *,
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="A file from `digits export`; - for standard input."),
    ],
    json: Json = False,
) -> None:
    """Add the versions of an export under their numbers: all of them or none."""
    from dataclasses import asdict

    from pipeline.models import open_registry
    from pipeline.reporting.text import show_json

    with open_registry() as registry:
        result = registry.import_(Path("/dev/stdin") if str(file) == "-" else file)
    if json:
        show_json(asdict(result))
    else:
        typer.echo(f"Added: {', '.join(result.added) or 'nothing'}.")
        if result.present:
            typer.echo(f"Already present, and equal: {', '.join(result.present)}.")
