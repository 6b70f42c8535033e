"""The commands that serve the pages, and write them as files."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.combinations import refuse_without_effect
from pipeline.cli.messages import say

app = typer.Typer()


@app.command(epilog="Example: digits ui")
def ui(
    context: typer.Context,
    *,
    host: Annotated[
        str, typer.Option(help="Address to listen on; others than loopback need DIGITS_UI_TOKEN.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 8428,
    name: Annotated[
        list[str] | None,
        typer.Option(
            help="A further name under which the pages are reached, such as that of a proxy; "
            "needs DIGITS_UI_TOKEN."
        ),
    ] = None,
    certificate: Annotated[
        Path | None, typer.Option(metavar="FILE", help="TLS certificate, in PEM.")
    ] = None,
    key: Annotated[Path | None, typer.Option(metavar="FILE", help="Its private key.")] = None,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Show everything, and change nothing.")
    ] = False,
) -> None:
    """Serve the pages: versions, batches, review. Runs until it is stopped."""
    if certificate is None:
        refuse_without_effect(context, "without --certificate", {"key"})
    from pipeline.settings import load_settings
    from pipeline.web.server import Listening, serve

    listening = Listening(host, port, tuple(name or ()), certificate, key)

    def announce() -> None:
        if listening.warning:
            say(f"Warning: {listening.warning}", err=True)
        say(f"The pages are at {listening.address} until you press Ctrl-C.", err=True)

    serve(listening, load_settings(), read_only=read_only, on_start=announce)


@app.command(epilog="Example: digits site --output site/")
def site(
    *,
    output: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            help="A new directory, or that of an earlier site, which is replaced.",
        ),
    ],
) -> None:
    """Write the pages as files that a browser opens without a server."""
    from pipeline.settings import load_settings
    from pipeline.summaries import counted
    from pipeline.web.static_site import write_site

    number = write_site(load_settings(), output)
    say(f"{counted(number, 'page')} in {output}; the first is {output / 'index.html'}.")
