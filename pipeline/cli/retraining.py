"""The commands that get data and train: ingest, retrain and reproduce."""

from typing import Annotated

import typer

from pipeline.cli import running
from pipeline.cli.failures import FAILED, REFUSED
from pipeline.cli.options import Direct, LabelledImages, MinAccuracy, Preset, Reference, Seed

app = typer.Typer()


@app.command(epilog="Example: digits ingest")
def ingest() -> None:
    """Download and verify MNIST, and convert it to Parquet."""
    from pipeline.jobs.ingestion import ingest as job
    from pipeline.reporting.text import show

    data = running.call(job)
    show(*(str(reference.path) for reference in (data.train, data.test)))


@app.command(epilog="Example: digits retrain --preset quick --direct")
def retrain(
    *,
    preset: Preset = "standard",
    min_accuracy: MinAccuracy = None,
    seed: Seed = 0,
    labelled: LabelledImages = None,
    force: Annotated[
        bool, typer.Option("--force", help="Train even if nothing has changed.")
    ] = False,
    no_promote: Annotated[
        bool, typer.Option("--no-promote", help="Register the version, but keep the champion.")
    ] = False,
    direct: Direct = False,
) -> None:
    """Train a candidate; if it passes the gate, register and promote it.

    If the champion was made of the same inputs, configuration and code, nothing is trained.
    """
    parameters = {
        "preset": preset,
        "min_accuracy": min_accuracy,
        "seed": seed,
        "labelled": labelled,
        "promote": not no_promote,
        "force": force,
    }
    if direct:
        from pipeline.jobs.retraining import retrain as job

        outcome = running.call(job, **parameters)
    else:
        outcome = running.run_flow("retrain", **parameters)

    from pipeline.reporting.tables import retraining_card
    from pipeline.reporting.text import show
    from pipeline.training.outcome import Refused

    show(retraining_card(outcome))
    if isinstance(outcome, Refused):
        typer.echo(f"Refused: {outcome.verdict.reason}. The champion stays.", err=True)
        raise typer.Exit(REFUSED)


@app.command(epilog="Example: digits reproduce mnist/3")
def reproduce(
    *,
    reference: Reference,
    labelled: Annotated[
        str | None,
        typer.Option(
            metavar="INPUT",
            help="The labelled images it was trained on, if this machine no longer has them.",
        ),
    ] = None,
) -> None:
    """Train a version again from its recorded lineage, and compare the weights.

    The exit status is 1 if they differ in a single bit. Nothing is registered.
    """
    from pipeline.jobs.reproduction import reproduce as job
    from pipeline.reporting.tables import reproduction_card
    from pipeline.reporting.text import show

    reproduction = running.call(job, reference, labelled=labelled)
    show(reproduction_card(reproduction))
    if not reproduction.is_identical:
        raise typer.Exit(FAILED)
