"""The commands that move versions between registries: export, import, copy and download."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from pipeline.cli.combinations import refuse_without_effect
from pipeline.cli.messages import say
from pipeline.cli.options import Force, Json, Reference
from pipeline.cli.overwriting import require_export, require_file

app = typer.Typer()

_STANDARD_STREAM = "-"


@app.command(name="export", epilog="Example: digits export 7 mnist-7.tar")
def export_(
    context: typer.Context,
    *,
    selection: Annotated[
        str,
        typer.Argument(metavar="REF", help="A version, or a model for all its versions: mnist."),
    ],
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The file to write; - for standard output.")
    ],
    format_: Annotated[
        Literal["digits", "onnx", "mlflow"],
        typer.Option(
            "--format",
            help="digits: weights and history, for `digits import`. onnx: the network alone, "
            "without normalization. mlflow: a directory that mlflow.pyfunc loads.",
        ),
    ] = "digits",
    force: Force = False,
    json: Json = False,
) -> None:
    """Write versions to a file, with their weights and history."""
    from pipeline.models import full_reference, open_registry
    from pipeline.reporting.text import show_json

    if str(file) == _STANDARD_STREAM:
        if format_ != "digits":
            raise typer.BadParameter(f"FILE: expected a file for --format {format_}, got -.")
        refuse_without_effect(context, "with FILE -, which prints the export", {"json", "force"})
    if format_ != "digits":
        require_file(file, force=force)
        _export_network(full_reference(selection), file, format_, json=json)
        return
    require_export(file, force=force)
    with open_registry(create=False) as registry:
        target = Path("/dev/stdout") if str(file) == _STANDARD_STREAM else file
        references = registry.export(full_reference(selection), target)
    if str(file) == _STANDARD_STREAM:
        say(f"{', '.join(references)}.", err=True)
    elif json:
        show_json({"versions": list(references), "file": str(file)})
    elif not file.is_file():
        say(f"{', '.join(references)} in {file}.")
    else:
        say(f"{', '.join(references)} in {file} ({file.stat().st_size:,} bytes).")


def _export_network(
    reference: str, file: Path, format_: Literal["onnx", "mlflow"], *, json: bool
) -> None:
    """Write the network of one version in another program's format."""
    from nn import NeuralNetwork
    from pipeline.models import open_registry
    from pipeline.models.mlflow_format import write_mlflow
    from pipeline.models.onnx_format import write_onnx
    from pipeline.reporting.text import show_json

    with open_registry(create=False) as registry:
        version = registry.get(reference)
        network = NeuralNetwork.from_bytes(registry.load(version.reference))
    if format_ == "onnx":
        write_onnx(network, version, file)
    else:
        write_mlflow(network, version, file)
    if json:
        show_json({"versions": [version.reference], "file": str(file)})
    else:
        say(f"{version.reference} in {file}, without normalization.")


@app.command(name="import", epilog="Example: digits import mnist-7.tar")
def import_(
    *,
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="A file from `digits export`; - for standard input. With --from mlflow, a model "
            "of a server: http://127.0.0.1:5000/NAME.",
        ),
    ],
    source: Annotated[
        Literal["digits", "mlflow"], typer.Option("--from", help="Where the versions come from.")
    ] = "digits",
    name: Annotated[
        str | None,
        typer.Option(help="With --from mlflow: name of the model here; the same by default."),
    ] = None,
    json: Json = False,
) -> None:
    """Add the versions of an export under their numbers: all of them or none.

    Versions of MLflow get the next numbers, and their artifacts become one tar archive.
    """
    from dataclasses import asdict

    from pipeline.models import open_registry
    from pipeline.reporting.text import show_json

    if source == "mlflow":
        _import_from_mlflow(file, name, json=json)
        return
    if name is not None:
        raise typer.BadParameter("--name goes with --from mlflow.")
    with open_registry() as registry:
        result = registry.import_("/dev/stdin" if file == _STANDARD_STREAM else file)
    if json:
        show_json(asdict(result))
    else:
        say(f"Added: {', '.join(result.added) or 'nothing'}.")
        if result.present:
            say(f"Already present, and equal: {', '.join(result.present)}.")
        if result.deleted:
            say(f"Deleted here, and not added again: {', '.join(result.deleted)}.")


def _import_from_mlflow(address: str, name: str | None, *, json: bool) -> None:
    from dataclasses import asdict

    from pipeline.models import open_registry
    from pipeline.models.mlflow_server import import_from_mlflow
    from pipeline.reporting.text import show_json

    server, _, model = address.rstrip("/").rpartition("/")
    if "://" not in server or not model:
        raise typer.BadParameter("With --from mlflow: expected http://HOST:PORT/NAME.")
    with open_registry() as registry:
        result = import_from_mlflow(registry, server, model, name=name)
    if json:
        show_json(asdict(result))
        return
    say(f"Added: {', '.join(result.added) or 'nothing'}.")
    if result.present:
        say(f"Already present: {', '.join(result.present)}.")
    if result.aliases:
        say(f"Set: {', '.join(result.aliases)}.")


@app.command(
    epilog="Example: digits copy 7 --to postgresql+psycopg://db/digits --blobs s3://weights"
)
def copy(
    *,
    reference: Reference,
    to: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Database of the other registry; this one by default."),
    ] = None,
    blobs: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Blob store of the other registry; for sqlite:///DIR/registry.db, DIR/blobs by "
            "default.",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the model there; the same by default.")
    ] = None,
    json: Json = False,
) -> None:
    """Copy a version to another model or registry, under its digest and with its origin.

    It gets the next number there. Repeating the command returns the same copy.
    """
    from pipeline.models import full_reference, open_other_registry, open_registry
    from pipeline.reporting.registry_json import version_json
    from pipeline.reporting.text import show_json

    if to is None and blobs is not None:
        raise typer.BadParameter("--blobs goes with --to.")
    with open_registry(create=False) as registry:
        if to is None:
            version = registry.copy(full_reference(reference), name=name)
        else:
            with open_other_registry(to, blobs) as other:
                version = registry.copy(full_reference(reference), to=other, name=name)
    if json:
        show_json(version_json(version))
    else:
        where = f" in {to}" if to else ""
        say(f"{version.reference}{where}, SHA-256 {version.sha256}.")


@app.command(epilog="Example: digits download @champion weights.safetensors --sign key.pem")
def download(
    *,
    reference: Reference,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write.")],
    sign: Annotated[
        Path | None,
        typer.Option(
            metavar="KEY",
            help="Also write FILE.sig, a signature in the OpenSSF Model Signing format, with this "
            "private key (elliptic curve, PEM).",
        ),
    ] = None,
    force: Force = False,
    json: Json = False,
) -> None:
    """Write the weights of a version to a file, verified against their digest."""
    from pipeline.models import full_reference, open_registry
    from pipeline.reporting.registry_json import version_json
    from pipeline.reporting.text import show_json
    from registry import sign_file

    with open_registry(create=False) as registry:
        version = registry.get(full_reference(reference))
        # Weights of this model that were downloaded before are our own.
        digests = {each.sha256 for each in registry.versions(version.name)}
        require_file(file, digests, force=force)
        registry.download(version, file)
    if sign is not None:
        sign_file(file, sign)
    if json:
        show_json(version_json(version))
    else:
        signed = "" if sign is None else f"; signature in {file}.sig"
        say(f"{version.reference} in {file} ({version.size:,} bytes){signed}.")
