"""The command `digits`: its groups of commands, and how it ends."""

import io
import json
import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from pipeline.cli import (
    aliases,
    annotations,
    approvals,
    archives,
    automations,
    failures,
    maintenance,
    monitoring,
    pages,
    predicting,
    retention,
    retraining,
    reviews,
    scoring,
    serving,
    versions,
)
from pipeline.cli.messages import say

_DEBUG = "--debug"

app = typer.Typer(
    name="digits",
    help="Keeps a handwritten-digit classifier in production.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="A version is called mnist@champion or mnist/7; @champion and 7 for short. "
    "Exit status: 0 done, 1 failed, 2 wrong usage, 3 refused by the gate, "
    "4 not found.",
)
# The groups of the help, in the order of the three jobs, and the modules with their commands.
_PANELS = {
    "Train": (retraining,),
    "Score images, and review": (scoring, predicting, reviews),
    "Serve, and watch": (serving, automations, monitoring, pages),
    "Ask about versions": (versions,),
    "Change which version is in use": (aliases, approvals),
    "Keep the registry": (annotations, maintenance, retention, archives),
}

for panel, modules in _PANELS.items():
    for module in modules:
        for part in (*module.app.registered_commands, *module.app.registered_groups):
            part.rich_help_panel = panel
        app.add_typer(module.app)


def _show_version(is_asked: bool) -> None:  # noqa: FBT001 - Typer passes the value of the option
    if is_asked:
        import pipeline

        typer.echo(f"digits {pipeline.__version__}")
        raise typer.Exit


@app.callback()
def digits(
    *,
    debug: Annotated[
        bool,
        typer.Option(_DEBUG, help="Show the traceback of a failure; before or after any command."),
    ] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version of digits."
        ),
    ] = False,
) -> None:
    """Show ``--debug`` in the help: `main` takes it from the command line before Typer reads it."""


def main() -> None:
    """Run the command line. An expected failure is one message, not a traceback."""
    for stream in (sys.stdout, sys.stderr):
        # What was done is not lost because a terminal does not know a letter.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    arguments, debug = _without_debug(sys.argv[1:])
    try:
        app(arguments, prog_name="digits")
    except Exception as error:
        if debug or not failures.is_expected(error):
            raise
        say(f"Error: {failures.message(error)}", err=True)
        if "--json" in arguments:
            typer.echo(json.dumps(failures.as_json(error), indent=2))
        sys.exit(failures.exit_status(error))


def _without_debug(arguments: Sequence[str]) -> tuple[list[str], bool]:
    """Remove ``--debug`` wherever it is an option: anywhere before ``--``."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = [argument for argument in arguments[:end] if argument != _DEBUG]
    return [*options, *arguments[end:]], len(options) < end
