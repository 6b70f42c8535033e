"""Progress of a command: bars on a terminal, plain lines elsewhere."""

import contextlib
import logging
import time
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from pipeline.progress import Listener, reporting_to

# Seconds between two plain lines about the same activity.
_INTERVAL = 5.0


@contextlib.contextmanager
def show_progress(*, quiet: bool = False) -> Iterator[None]:
    """Show the progress and the warnings of this block on standard error; if quiet, warnings."""
    console = Console(stderr=True)
    with contextlib.ExitStack() as stack:
        stack.enter_context(_warnings(console))
        if not quiet:
            bars = stack.enter_context(_bars(console)) if console.is_terminal else _lines(console)
            stack.enter_context(reporting_to(bars))
        yield


@contextlib.contextmanager
def _bars(console: Console) -> Iterator[Listener]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[remark]}"),
    )
    with Progress(*columns, console=console) as progress:
        tasks = {}

        def listen(activity: str, done: float, total: float, remark: str) -> None:
            if activity not in tasks:
                tasks[activity] = progress.add_task(activity, total=total, remark=remark)
            progress.update(tasks[activity], completed=done, total=total, remark=remark)

        yield listen


def _lines(console: Console) -> Listener:
    shown_at: dict[str, float] = {}

    def listen(activity: str, done: float, total: float, remark: str) -> None:
        now = time.monotonic()
        finished = done >= total
        if not finished and now - shown_at.get(activity, now - _INTERVAL) < _INTERVAL:
            return
        shown_at[activity] = now
        line = f"{activity}: {done / total:.0%}" if total else activity
        line = f"{line}, {remark}" if remark else line
        console.print(line, markup=False, highlight=False, soft_wrap=True)

    return listen


class _WarningPrinter(logging.Handler):
    """Prints each log record as one line, above the bars."""

    def __init__(self, console: Console) -> None:
        super().__init__(logging.WARNING)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        line = f"{record.levelname.capitalize()}: {record.getMessage()}"
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


@contextlib.contextmanager
def _warnings(console: Console) -> Iterator[None]:
    handler = _WarningPrinter(console)
    logger = logging.getLogger("pipeline")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
