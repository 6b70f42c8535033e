"""The commands for the automations on a Prefect server."""

import typer

from pipeline.cli import running
from pipeline.cli.messages import say

app = typer.Typer()
automations = typer.Typer(
    help="Automations on the Prefect server of a work pool.",
    epilog="Example: digits automations apply",
)
app.add_typer(automations, name="automations")


@automations.callback()
def group() -> None:
    """Keep ``apply`` a command of its own: a group of one command would become that command."""


@automations.command(epilog="Example: digits automations apply")
def apply() -> None:
    """Create the automations that end and start again the runs of a machine that is lost.

    Needed once for a work pool; `digits serve` does it by itself. Existing ones stay as they are.
    """
    from pipeline.errors import ServerError

    running.prepare_prefect(console_level="WARNING")
    from pipeline.flows.environment import has_server, require_server

    if not has_server():
        raise ServerError("No Prefect server is set: set PREFECT_API_URL to that of the work pool.")
    require_server()
    from pipeline.flows.automations import apply_automations

    new = apply_automations()
    say("\n".join(f"Created: {name}" for name in new) or "All exist already.")
