"""The command that serves the scheduled jobs."""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.cli import running
from pipeline.cli.combinations import refuse_without_effect
from pipeline.cli.messages import say
from pipeline.cli.options import LabelledImages, MinAccuracy, Preset, Seed
from pipeline.review import REVIEWS

if TYPE_CHECKING:
    from pipeline.settings import Settings

app = typer.Typer()

# Seconds in ten years.
_MAX_INTERVAL = 10 * 365 * 86_400

# How many of the next runs of each schedule are printed.
_SHOWN = 3

Interval = Annotated[
    float,
    typer.Option(
        min=1, max=_MAX_INTERVAL, help="Seconds from one look into the inbox to the next."
    ),
]


Metrics = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT", help="Serve /metrics for Prometheus, such as at 127.0.0.1:9464."
    ),
]
InboxShadow = Annotated[
    str | None,
    typer.Option(
        metavar="ALIAS", help="Compare the inbox's predictions with those of another version."
    ),
]


@app.command(epilog='Example: digits serve --cron "0 3 * * *" --inbox inbox/ --outbox outbox/')
def serve(
    context: typer.Context,
    *,
    cron: Annotated[str, typer.Option(help="When to retrain: a cron expression.")] = "0 3 * * *",
    ingest_cron: Annotated[
        str, typer.Option(help="When to verify the data: a cron expression.")
    ] = "0 2 * * *",
    timezone: Annotated[
        str, typer.Option(help="Time zone of both, such as America/New_York.")
    ] = "UTC",
    inbox: Annotated[
        Path | None, typer.Option(help="Directory whose new images are scored.")
    ] = None,
    outbox: Annotated[
        Path | None,
        typer.Option(help="Directory for the images and their scores; on the inbox's disk."),
    ] = None,
    every: Interval = 60,
    shadow: InboxShadow = None,
    preset: Preset = "standard",
    min_accuracy: MinAccuracy = None,
    seed: Seed = 0,
    labelled: LabelledImages = None,
    port: Annotated[
        int, typer.Option(min=1, max=65535, help="Port of the server, if one is started.")
    ] = 4200,
    metrics: Metrics = None,
) -> None:
    """Serve the jobs: retrain and verify the data on schedules, and score an inbox.

    Runs until it is stopped. If Prefect's settings name no server (PREFECT_API_URL, or a
    profile), one is started on this machine, and stopped at the end.
    """
    if (inbox is None) != (outbox is None):
        raise typer.BadParameter("--inbox and --outbox must be given together.")
    if inbox is None:
        refuse_without_effect(context, "without --inbox", {"every", "shadow"})
    if labelled is not None and labelled != REVIEWS and "://" not in labelled:
        # A run of a deployment has its own working directory.
        labelled = str(Path(labelled).absolute())
    training = {"min_accuracy": min_accuracy, "seed": seed, "labelled": labelled}
    parameters = {"preset": preset, **training}
    boxes: dict[str, Any] | None = None
    if inbox and outbox:
        from pipeline.jobs.inbox import prepare_boxes

        inbox, outbox = prepare_boxes(inbox, outbox)
        boxes = {"inbox": inbox, "outbox": outbox, "shadow": shadow}
    crons = {"cron": cron, "ingest-cron": ingest_cron}
    _serve(crons, timezone, parameters, inbox=boxes, every=every, port=port, metrics=metrics)


def _serve(
    crons: dict[str, str],
    timezone: str,
    parameters: dict[str, Any],
    *,
    inbox: dict[str, Any] | None,
    every: float,
    port: int,
    metrics: str | None,
) -> None:
    """Serve the deployments, with a Prefect server of this process if there is no other."""
    settings = running.prepare_prefect(console_level="INFO")
    from pipeline.flows.environment import PROCESSES, THREADS, require_task_runner

    if inbox:
        require_task_runner(settings)
    stop = _stopped_by_signal()
    try:
        with contextlib.ExitStack() as stack:
            stack.enter_context(_only_one(settings.home))
            retrain, ingest = _schedules(crons, timezone)
            if inbox and settings.task_runner in {THREADS, PROCESSES}:
                from pipeline.flows.first_look import first_look

                stack.enter_context(first_look(inbox))
            own_server = _require_or_start_server(stack, settings, port)
            from pipeline.flows.deployments import serve as serve_deployments
            from pipeline.flows.watching import watched

            jobs = {"retrain": retrain, "ingest": ingest}
            looks = every if inbox else None
            stack.enter_context(watched(settings, jobs, every=looks, metrics=metrics))
            serve_deployments(
                retrain,
                parameters,
                ingest=ingest,
                inbox=inbox,
                every=every,
                own_server=own_server,
                stop=stop,
            )
    except Exception:
        # If SystemExit is raised during an import, Pydantic replaces it by an error of its own.
        if not stop.is_set():
            raise


def _stopped_by_signal() -> threading.Event:
    """Handle SIGTERM until Prefect does; return the event that it sets.

    A server that was started here is stopped either way.
    """
    stop = threading.Event()

    def stop_early(*_: object) -> None:
        # The exit alone can be lost: Python ignores it if it is raised in a destructor.
        stop.set()
        sys.exit(0)

    signal.signal(signal.SIGTERM, stop_early)
    return stop


def _require_or_start_server(stack: contextlib.ExitStack, settings: "Settings", port: int) -> bool:
    """Return whether a server was started, for as long as the stack lasts.

    Raises
    ------
    ServerError
        If the user's server cannot be reached, or no server can be started.
    """
    from pipeline.flows.environment import has_server, require_server, use_server
    from pipeline.flows.server import prefect_server

    if has_server():
        require_server()
        return False
    say("Starting a Prefect server.", err=True)
    address = stack.enter_context(prefect_server(port, settings.home / "prefect-server.log"))
    use_server(address)
    say(f"Its pages are at {address.removesuffix('/api')}.", err=True)
    return True


@contextlib.contextmanager
def _only_one(home: Path) -> Iterator[None]:
    """Refuse to serve twice under one home: the second would rewrite the first one's schedules.

    Raises
    ------
    BusyError
        If another process serves.
    """
    from pipeline import files
    from pipeline.errors import BusyError

    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(files.locked(home / "serving", wait=False))
        except BlockingIOError:
            raise BusyError(
                f"Another `digits serve` runs under {home}. Stop it, or set DIGITS_HOME to another "
                "directory."
            ) from None
        yield


def _schedules(crons: dict[str, str], timezone: str) -> list[Any]:
    """Return the Prefect schedules of cron expressions, and print their next runs."""
    from pipeline.flows.schedules import cron_schedule, next_runs

    schedules = [cron_schedule(name, cron, timezone) for name, cron in crons.items()]
    for name, schedule in zip(crons, schedules, strict=True):
        times = ", ".join(f"{time:%a %Y-%m-%d %H:%M %Z}" for time in next_runs(schedule, _SHOWN))
        say(f"--{name}: next runs {times}.", err=True)
    return schedules
