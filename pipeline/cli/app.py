"""The command line. Each command imports what it needs when it runs, to start at once."""

import contextlib
import logging
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeVar

import typer

from pipeline.cli import versions as registry_cli
from pipeline.cli.versions import EXIT_FAILED

if TYPE_CHECKING:
    from pipeline.settings import Settings

_T = TypeVar("_T")

EXIT_USAGE = 2
EXIT_REFUSED = 3

app = typer.Typer(
    name="digits",
    help="Keeps a handwritten-digit classifier in production.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="A version is called mnist@champion or mnist/7; @champion and 7 for short. "
    "Exit status: 0 done, 1 failed, 2 wrong usage, 3 refused by the gate.",
)

Preset = Annotated[str, typer.Option(help="quick, standard or best.", metavar="NAME")]
MinAccuracy = Annotated[
    float | None,
    typer.Option(
        min=0,
        max=1,
        help="What the gate asks for on the validation split; 0.97 if DIGITS_GATE__MIN_ACCURACY "
        "says nothing else.",
    ),
]
LabelledImages = Annotated[
    str | None,
    typer.Option(
        metavar="INPUT",
        help="Own images that join MNIST: directories 0 to 9, or with a labels.csv; Parquet; "
        "also s3://bucket/prefix.",
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="Equal seeds give equal weights.")]
Direct = Annotated[bool, typer.Option("--direct", help="Run without Prefect: starts at once.")]


def main() -> None:
    """Run the command line; an expected failure is one message, not a traceback."""
    debug = "--debug" in sys.argv[1:]
    try:
        app(prog_name="digits")
    except Exception as error:
        if debug or not _is_expected(error):
            raise
        typer.echo(f"Error: {_message(error)}", err=True)
        sys.exit(_status(error))


@app.callback()
def digits(
    *,
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of a failure.")
    ] = False,
) -> None:
    """Take the options that all commands share."""


@app.command(epilog="Example: digits ingest")
def ingest() -> None:
    """Download and verify MNIST, and convert it to Parquet."""
    from pipeline.cli.progress_display import working
    from pipeline.jobs.ingestion import ingest as job
    from pipeline.reporting.text import show

    with working():
        data = job()
    show(*(str(reference.path) for reference in (data.train, data.test)))


@app.command(epilog="Example: digits retrain --preset quick --direct")
def retrain(
    *,
    preset: Preset = "standard",
    min_accuracy: MinAccuracy = None,
    seed: Seed = 0,
    labelled: LabelledImages = None,
    force: Annotated[bool, typer.Option("--force", help="Train even if nothing changed.")] = False,
    no_promote: Annotated[
        bool, typer.Option("--no-promote", help="Register, but leave the champion.")
    ] = False,
    direct: Direct = False,
) -> None:
    """Train a candidate; if the gate lets it pass, register and promote it.

    Where the champion was made of the same inputs, configuration and code, nothing is done.
    """
    parameters = {
        "preset": _preset(preset),
        "min_accuracy": min_accuracy,
        "seed": seed,
        "labelled": labelled,
        "promote": not no_promote,
        "force": force,
    }
    if direct:
        from pipeline.jobs.retraining import retrain as job

        outcome = _directly(job, **parameters)
    else:
        outcome = _as_flow("retrain", **parameters)

    from pipeline.reporting.tables import retraining_card
    from pipeline.reporting.text import show
    from pipeline.training.outcome import Refused

    show(retraining_card(outcome))
    if isinstance(outcome, Refused):
        typer.echo(f"Refused: {outcome.verdict.reason}. The champion stays.", err=True)
        raise typer.Exit(EXIT_REFUSED)


@app.command(epilog="Example: digits reproduce mnist/3")
def reproduce(
    *,
    reference: Annotated[str, typer.Argument(metavar="REF", help="The version.")],
    labelled: Annotated[
        str | None,
        typer.Option(
            metavar="INPUT", help="Its labelled images, if this machine has not kept them."
        ),
    ] = None,
) -> None:
    """Train a version again from its recorded lineage, and compare the weights.

    The exit status is 1 where they are not the same, bit by bit. Nothing is registered.
    """
    from pipeline.jobs.reproduction import reproduce as job
    from pipeline.reporting.tables import reproduction_card
    from pipeline.reporting.text import show

    done = _directly(job, reference, labelled=labelled)
    show(reproduction_card(done))
    if not done.is_identical:
        raise typer.Exit(EXIT_FAILED)


@app.command(epilog="Example: digits score scans/ --output scores/")
def score(
    *,
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT",
            help="Directories, files or patterns ('scans/2026-*/*.png') of images or Parquet, "
            "also s3://bucket/prefix; one file to explain.",
        ),
    ],
    output: Annotated[Path, typer.Option(help="The directory for predictions/ and summary.json.")],
    model: Annotated[str, typer.Option(help="The version that scores.")] = "mnist@champion",
    normalize: Annotated[
        Literal["auto", "always", "never"],
        typer.Option(
            help="auto: make images like MNIST's that are not; always; never.",
        ),
    ] = "auto",
    probabilities: Annotated[
        bool, typer.Option("--probabilities", help="Keep the probability of each digit.")
    ] = False,
    min_confidence: Annotated[
        float | None,
        typer.Option(min=0, max=1, help="List in review.csv what is less certain than this."),
    ] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Draw what becomes of one image file, step by step.")
    ] = False,
    direct: Direct = False,
) -> None:
    """Score images, files or rows of Parquet, into a Parquet data set.

    Killed and run again, it goes on where it was.
    """
    if explain:
        if len(inputs) > 1:
            raise typer.BadParameter(f"--explain: expected one file, got {len(inputs)}.")
        _explain(Path(inputs[0]), output)
        return

    from pipeline.scoring.outcome import Options

    parameters = {
        "model": model,
        "options": Options(normalize, probabilities),
        "min_confidence": min_confidence,
    }
    if direct:
        from pipeline.jobs.scoring import score as job
        from pipeline.processes import worker_processes
        from pipeline.stages import run_stages_with

        with worker_processes() as runner, run_stages_with(runner):
            scored = _directly(job, inputs, output, **parameters)
    else:
        from pipeline.inputs.stores import locate

        # Before Prefect records them: one may have a password, which is refused.
        for given in inputs:
            locate(given)
        scored = _as_flow("score", inputs, output.absolute(), **parameters)

    from pipeline.reporting.tables import scoring_table
    from pipeline.reporting.text import show

    show(scoring_table(scored))


@app.command(epilog="Example: digits sample --count 1000 --output sample/")
def sample(
    *,
    count: Annotated[int, typer.Option(min=1, help="How many images.")],
    output: Annotated[Path, typer.Option(help="The directory for them and labels.csv.")],
    seed: Annotated[int, typer.Option(min=0, help="Which images are drawn.")] = 0,
) -> None:
    """Write MNIST test images as PNG files with their labels, to try scoring on."""
    from pipeline.cli.progress_display import working
    from pipeline.jobs.sampling import sample as job

    with working():
        written = job(count, output, seed=seed)
    typer.echo(f"{written} images and labels.csv are in {output}.")


app.add_typer(registry_cli.app)


@app.command(epilog='Example: digits serve --cron "0 3 * * *" --inbox inbox/ --outbox outbox/')
def serve(
    *,
    cron: Annotated[str, typer.Option(help="When to retrain, in UTC.")] = "0 3 * * *",
    ingest_cron: Annotated[str, typer.Option(help="When to verify the data.")] = "0 2 * * *",
    inbox: Annotated[
        Path | None, typer.Option(help="A directory that images are dropped into, to be scored.")
    ] = None,
    outbox: Annotated[
        Path | None, typer.Option(help="Where images and their scores go; beside the inbox.")
    ] = None,
    every: Annotated[
        float, typer.Option(min=1, help="Seconds from one look into the inbox to the next.")
    ] = 60,
    preset: Preset = "standard",
    min_accuracy: MinAccuracy = None,
    seed: Seed = 0,
    labelled: LabelledImages = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="For a server of its own.")] = 4200,
) -> None:
    """Retrain on a schedule, verify the data, score an inbox: in this process, until it is stopped.

    Where PREFECT_API_URL names no server, one is started on this machine and stopped again.
    """
    import signal

    from pipeline.flows.environment import has_server
    from pipeline.flows.server import prefect_server

    if (inbox is None) != (outbox is None):
        raise typer.BadParameter("--inbox and --outbox go together.")
    if labelled is not None and "://" not in labelled:
        # A run of a deployment has a working directory of its own.
        labelled = str(Path(labelled).absolute())
    parameters = {
        "preset": _preset(preset),
        "min_accuracy": min_accuracy,
        "seed": seed,
        "labelled": labelled,
    }
    places = None
    if inbox and outbox:
        from pipeline.jobs.inbox import places as checked

        places = dict(zip(("inbox", "outbox"), checked(inbox, outbox), strict=True))
    settings = _prepare_prefect(console_level="INFO")
    told_to_stop = False

    def stop(*_: object) -> None:
        nonlocal told_to_stop
        told_to_stop = True
        sys.exit(0)

    # Until Prefect listens for it itself: a server that was started is stopped in any case.
    signal.signal(signal.SIGTERM, stop)
    try:
        with contextlib.ExitStack() as stack:
            if not has_server():
                typer.echo("Starting a Prefect server.", err=True)
                log = settings.home / "prefect-server.log"
                address = stack.enter_context(prefect_server(port, log))
                os.environ["PREFECT_API_URL"] = address
                typer.echo(f"Its pages are at {address.removesuffix('/api')}.", err=True)
            from pipeline.flows.deployments import serve as job

            job(cron, parameters, ingest_cron=ingest_cron, inbox=places, every=every)
    except Exception:
        # Pydantic makes an error of its own of an exit that falls into an import.
        if not told_to_stop:
            raise


def _explain(file: Path, output: Path) -> None:
    from pipeline.errors import InputError
    from pipeline.files import atomic_write
    from pipeline.images.decoding import UnreadableImageError
    from pipeline.images.encoding import png
    from pipeline.images.explaining import explanation

    try:
        picture = explanation(file)
    except UnreadableImageError as error:
        raise InputError(f"{file}: expected an image to explain, got: {error.reason}.") from None
    target = output / f"{file.name}.explained.png"
    with atomic_write(target) as temporary:
        temporary.write_bytes(png(picture))
    typer.echo(f"The steps are drawn in {target}.")


def _preset(name: str) -> str:
    from pipeline.training.presets import PRESETS

    if name not in PRESETS:
        raise typer.BadParameter(f"expected {', '.join(PRESETS)}, got {name!r}.")
    return name


def _directly(job: Callable[..., _T], *args: Any, **parameters: Any) -> _T:
    from pipeline.cli.progress_display import working

    with working():
        return job(*args, **parameters)


def _as_flow(name: str, *args: Any, **parameters: Any) -> Any:
    from pipeline.cli.progress_display import working

    # Prefect would print the traceback of every failure; `main` says what there is to say.
    settings = _prepare_prefect(console_level="CRITICAL")
    from pipeline.flows.environment import has_server
    from pipeline.flows.server import free_port, prefect_server

    with contextlib.ExitStack() as stack:
        if not has_server():
            typer.echo("Starting a Prefect server for this run (--direct goes without).", err=True)
            if settings.task_runner != "threads":
                # Prefect's own would be started once more by each worker.
                log = settings.home / "prefect-server.log"
                address = stack.enter_context(prefect_server(free_port(), log))
                os.environ["PREFECT_API_URL"] = address
                stack.callback(_send_logs)
        from pipeline.flows import flows

        with working():
            return getattr(flows, name)(*args, **parameters)


def _send_logs() -> None:
    """Send the lines that Prefect keeps back, while the server is still there."""
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        for handler in logging.getLogger(name).handlers:
            handler.flush()


def _prepare_prefect(*, console_level: str) -> "Settings":
    from pipeline.flows.environment import prepare
    from pipeline.settings import load_settings

    settings = load_settings()
    prepare(settings, console_level=console_level)
    return settings


def _is_expected(error: Exception) -> bool:
    from nn import NetworkError
    from pipeline.errors import PipelineError
    from registry import RegistryError

    return isinstance(error, NetworkError | PipelineError | RegistryError | OSError)


def _status(error: Exception) -> int:
    from registry import GateError, InvalidArgumentError

    if isinstance(error, GateError):
        return EXIT_REFUSED
    return EXIT_USAGE if isinstance(error, InvalidArgumentError) else EXIT_FAILED


def _message(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{os.fsdecode(error.filename)}: {error.strerror}."
    return str(error)
