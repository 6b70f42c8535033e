"""The commands for operators: status, batches, metrics, and notify."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.failures import FAILED
from pipeline.cli.messages import say
from pipeline.cli.moments import parse_moment
from pipeline.cli.options import Json

if TYPE_CHECKING:
    from pipeline.monitoring.delivery import Attempt

app = typer.Typer()
notify = typer.Typer(help="Send messages to the receivers that DIGITS_NOTIFY names.")
app.add_typer(notify, name="notify")

# Batches that are looked at to compare them with the first ones of their version.
_TRACKED = 10_000


@app.command(epilog="Example: digits status || mail -s 'digits needs you' ops@example.org")
def status(*, json: Json = False) -> None:
    """Show the last runs of each job, the champion, messages and drift.

    The exit status is 1 if something needs a person.
    """
    from pipeline.jobs.status import status as job
    from pipeline.reporting.monitoring_json import status_json
    from pipeline.reporting.monitoring_tables import status_tables
    from pipeline.reporting.text import show, show_json

    found = job()
    if json:
        show_json(status_json(found))
    else:
        show(status_tables(found))
    if found.problems:
        raise typer.Exit(FAILED)


@app.command(epilog="Example: digits metrics > /var/lib/node_exporter/digits.prom")
def metrics() -> None:
    """Print the status as metrics of Prometheus, for its textfile collector."""
    from pipeline.jobs.status import status as job
    from pipeline.reporting.prometheus import metrics_text

    typer.echo(metrics_text(job()), nl=False)


@app.command(epilog="Example: digits batches --drifted --since 2026-11-01")
def batches(
    *,
    model: Annotated[str, typer.Option(help="The registered model.")] = "mnist",
    since: Annotated[
        datetime | None,
        typer.Option(metavar="TIME", parser=parse_moment, help="Only from this time on."),
    ] = None,
    drifted: Annotated[bool, typer.Option("--drifted", help="Only those that drifted.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of rows.")] = 50,
    json: Json = False,
) -> None:
    """List the scored batches, the newest first, with their estimated accuracy.

    The estimate needs no labels. If people have labelled some of the images, it is corrected by
    them. A batch is red if its accuracy is not that of the first batches of its version.
    """
    from pipeline.models import open_registry
    from pipeline.monitoring.accuracy import track
    from pipeline.reporting.monitoring_json import tracked_json
    from pipeline.reporting.monitoring_tables import batches_table
    from pipeline.reporting.text import show, show_json

    with open_registry(create=False) as registry:
        tracked = track(registry.batches(model, limit=_TRACKED))
    chosen = [
        each
        for each in tracked
        if (since is None or each.batch.at >= since) and (not drifted or each.batch.has_drifted)
    ][:limit]
    if json:
        show_json([tracked_json(each) for each in chosen])
    else:
        show(batches_table(chosen))


@notify.command(epilog="Example: digits notify test")
def test() -> None:
    """Send a test message to every receiver; the exit status is 1 if one does not get it."""
    from pipeline.monitoring.delivery import send_test
    from pipeline.settings import load_settings

    _show(send_test(load_settings()))


@notify.command(epilog="Example: digits notify send")
def send() -> None:
    """Send the messages that are due, and look for killed runs and overdue jobs.

    `digits serve` and each job do so by themselves. Without `digits serve`, let cron run this
    each minute.
    """
    from pipeline.monitoring.watching import watch
    from pipeline.settings import load_settings

    _show(watch(load_settings()))


def _show(attempts: "list[Attempt]") -> None:
    for attempt in attempts:
        result = "sent" if attempt.error is None else f"not sent: {attempt.error}"
        say(f"{attempt.message} to {attempt.endpoint}: {result}.")
    if any(attempt.error is not None for attempt in attempts):
        raise typer.Exit(FAILED)
