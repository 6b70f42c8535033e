"""Progress of a command: bars on a terminal, plain lines elsewhere."""

import contextlib
import logging
import time
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.table import Column
from rich.text import Text

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
        TextColumn("{task.description}", table_column=Column(no_wrap=True, max_width=26)),
        BarColumn(14),
        _Share(),
        _Remaining(table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[remark]}", table_column=Column(no_wrap=True)),
    )
    with Progress(*columns, console=console) as progress:
        tasks = {}

        def listen(activity: str, done: float, total: float, remark: str) -> None:
            if activity not in tasks:
                # What was done before this run says nothing about its rate.
                tasks[activity] = progress.add_task(
                    activity, total=total or None, remark=remark, before=done
                )
                for earlier in list(tasks.values())[:-1]:
                    # What had no end in sight has ended by now.
                    if progress.tasks[earlier].total is None:
                        progress.update(earlier, completed=1, total=1, remark="")
            progress.update(tasks[activity], completed=done, total=total or None, remark=remark)

        yield listen


class _Share(ProgressColumn):
    """The share that is done, in percent; nothing if no end is in sight."""

    def render(self, task: Task) -> Text:
        return Text("" if task.total is None else f"{task.percentage:>3.0f} %")


class _Remaining(ProgressColumn):
    """The remaining time; the time that has passed if it is done, or no end is in sight."""

    def render(self, task: Task) -> Text:
        elapsed = task.finished_time if task.finished else task.elapsed
        if task.finished or task.total is None:
            return Text(_clock(elapsed or 0))
        done = task.completed - task.fields["before"]
        if not elapsed or done <= 0:
            return Text("")
        return Text(f"{_clock(elapsed / done * (task.total - task.completed))} left")


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


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
        # On a terminal, lines are broken between words; elsewhere, a record is a line.
        text = Text(line, overflow="ignore")
        self._console.print(text, soft_wrap=not self._console.is_terminal, crop=False)


@contextlib.contextmanager
def _warnings(console: Console) -> Iterator[None]:
    handler = _WarningPrinter(console)
    logger = logging.getLogger("pipeline")
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
