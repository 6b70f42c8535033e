"""Running a job: in this process without Prefect, or as a Prefect flow."""

import contextlib
import logging
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from pipeline.cli.messages import say

if TYPE_CHECKING:
    from pipeline.settings import Settings

_T = TypeVar("_T")

# The flows that map a stage over shards. Only these use the task runner of the settings.
_FLOWS_WITH_TASK_RUNNER = frozenset({"score"})

_STARTING = "Starting a Prefect server for this run takes about 20 s; --direct runs without."

# Bytes that the database and the log of a temporary server may take in a run.
_SERVER_SIZE = 16_000_000


def call(job: Callable[..., _T], *args: Any, quiet: bool = False, **parameters: Any) -> _T:
    """Call a function that runs a job, and show its progress unless that is not wanted."""
    from pipeline.cli.progress_display import show_progress

    with _stopped_with_advice(), show_progress(quiet=quiet):
        return job(*args, **parameters)


def run_flow(name: str, *args: Any, quiet: bool = False, **parameters: Any) -> Any:
    """Run a job as the flow of that name, and show its progress.

    The flow runs against the user's Prefect server. If there is none, a temporary one is started.
    """
    # Prefect would print the traceback of every failure. `main` prints one message instead.
    settings = prepare_prefect(console_level="CRITICAL")
    from pipeline.files import require_space
    from pipeline.flows.environment import (
        has_server,
        require_server,
        require_task_runner,
        use_server,
    )
    from pipeline.flows.server import free_port, prefect_server
    from pipeline.progress import report

    with_task_runner = name in _FLOWS_WITH_TASK_RUNNER
    if with_task_runner:
        require_task_runner(settings)
    is_starting = False
    with contextlib.ExitStack() as stack:
        if has_server():
            require_server()
        else:
            # Its database would fail in the middle of things, after minutes of attempts.
            require_space(settings.home, _SERVER_SIZE)
            is_starting = True
            if not quiet:
                say(_STARTING, err=True)
            if with_task_runner and settings.task_runner != "threads":
                # Otherwise each worker would start a temporary server of its own.
                log = settings.home / "prefect-server.log"
                address = stack.enter_context(prefect_server(free_port(), log))
                use_server(address)
                stack.callback(_send_logs)

        def run(*args: Any, **parameters: Any) -> Any:
            if is_starting and sys.stderr.isatty():
                # A sign of life: a bar without an end, and the time that has passed.
                report("Start a Prefect server", 0, 0)
            from pipeline.flows import flows

            # A retry of the whole flow may be due in minutes, and somebody waits here.
            return getattr(flows, name).with_options(retries=0)(*args, **parameters)

        return call(run, *args, quiet=quiet, **parameters)


@contextlib.contextmanager
def _stopped_with_advice() -> Iterator[None]:
    """Say what Ctrl-C leaves: every job keeps what it has finished, and resumes."""
    try:
        yield
    except KeyboardInterrupt:
        say("Stopped. What was finished is kept: the same command goes on from there.", err=True)
        raise


def prepare_prefect(*, console_level: str) -> "Settings":
    """Set up Prefect, before it is imported, and return the settings."""
    from pipeline.flows.environment import set_defaults
    from pipeline.settings import load_settings

    settings = load_settings()
    set_defaults(settings, console_level=console_level)
    return settings


def _send_logs() -> None:
    """Send the log records that Prefect has buffered, while the server still runs."""
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        for handler in logging.getLogger(name).handlers:
            handler.flush()
