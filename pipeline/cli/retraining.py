"""The commands that get data and train: ingest, retrain and reproduce."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli import running
from pipeline.cli.combinations import refuse_without_effect
from pipeline.cli.failures import FAILED, REFUSED
from pipeline.cli.messages import say
from pipeline.cli.options import (
    Direct,
    DryRun,
    Json,
    LabelledImages,
    LabelsFrom,
    MinAccuracy,
    Preset,
    Quiet,
    Reference,
    Seed,
)
from pipeline.review import REVIEWS

if TYPE_CHECKING:
    from pipeline.training.outcome import Retraining

app = typer.Typer()


@app.command(epilog="Example: digits ingest")
def ingest(*, json: Json = False, quiet: Quiet = False) -> None:
    """Download and verify MNIST, and convert it to Parquet."""
    from pipeline.jobs.ingestion import ingest as job
    from pipeline.reporting.job_json import ingestion_json
    from pipeline.reporting.text import show, show_json

    data = running.call(job, quiet=quiet or json)
    if json:
        show_json(ingestion_json(data))
    elif not quiet:
        show(*(str(reference.path) for reference in (data.train, data.test)))


@app.command(epilog="Example: digits retrain --preset quick --direct")
def retrain(
    context: typer.Context,
    *,
    preset: Preset = "standard",
    min_accuracy: MinAccuracy = None,
    seed: Seed = 0,
    labelled: LabelledImages = None,
    labels: LabelsFrom = "auto",
    force: Annotated[
        bool, typer.Option("--force", help="Train even if nothing has changed.")
    ] = False,
    no_promote: Annotated[
        bool, typer.Option("--no-promote", help="Register the version, but keep the champion.")
    ] = False,
    dry_run: DryRun = False,
    direct: Direct = False,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a candidate; if it passes the gate, register and promote it.

    If the champion was made of the same inputs, configuration and code, nothing is trained.
    """
    if labelled is None:
        refuse_without_effect(context, "without --labelled", {"labels"})
    if labelled == REVIEWS:
        refuse_without_effect(context, "with the reviews", {"labels"})
    parameters: dict[str, Any] = {
        "preset": preset,
        "min_accuracy": min_accuracy,
        "seed": seed,
        "labelled": labelled,
        "labels": labels,
        "promote": not no_promote,
        "force": force,
    }
    if dry_run:
        from pipeline.cli.plans import show_plan
        from pipeline.jobs.planning import plan_retraining

        show_plan(running.call(plan_retraining, quiet=quiet or json, **parameters), json=json)
        return
    if direct:
        from pipeline.jobs.retraining import retrain as job

        outcome = running.call(job, quiet=quiet or json, **parameters)
    else:
        from pipeline.jobs.retraining import check_labelled

        check_labelled(labelled, labels)
        outcome = running.run_flow("retrain", quiet=quiet or json, **parameters)

    _conclude(outcome, json=json, quiet=quiet)


def _conclude(outcome: "Retraining", *, json: bool, quiet: bool) -> None:
    """Print the outcome, and end with status 3 if the gate refused the candidate."""
    from pipeline.training.outcome import Refused

    if json:
        from pipeline.reporting.job_json import retraining_json
        from pipeline.reporting.text import show_json

        show_json(retraining_json(outcome))
    elif not quiet:
        from pipeline.reporting.tables import retraining_card
        from pipeline.reporting.text import show

        show(retraining_card(outcome))
    if isinstance(outcome, Refused):
        say(f"Refused: {outcome.verdict.reason}. The champion stays.", err=True)
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
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Train a version again from its recorded lineage, and compare the weights.

    The exit status is 1 if they differ in a single bit. Nothing is registered.
    """
    from pipeline.jobs.reproduction import reproduce as job
    from pipeline.reporting.tables import reproduction_card
    from pipeline.reporting.text import show, show_json

    reproduction = running.call(job, reference, labelled=labelled, quiet=quiet or json)
    if json:
        from pipeline.reporting.job_json import reproduction_json

        show_json(reproduction_json(reproduction))
    elif not quiet:
        show(reproduction_card(reproduction))
    if not reproduction.is_identical:
        raise typer.Exit(FAILED)
