"""The progress of long work, reported to a listener.

The work calls `report`; the command line listens in a block of `reporting_to`. The listener is a
context variable, not a parameter: Prefect stores the parameters of a flow, and it cannot store a
progress bar.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar

Listener = Callable[[str, float, float, str], None]
"""Gets the activity, how much of it is done, how much there is in total, and a remark."""

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


def report(activity: str, done: float, total: float, remark: str = "") -> None:
    """Report that `done` of `total` is done."""
    listener = _listener.get()
    if listener is not None:
        listener(activity, done, total, remark)


@contextlib.contextmanager
def reporting_to(listener: Listener) -> Iterator[None]:
    """Send the reports of this block to `listener`, and to the outer listener before it."""
    outer = _listener.get()

    def report_to_both(activity: str, done: float, total: float, remark: str) -> None:
        if outer is not None:
            outer(activity, done, total, remark)
        listener(activity, done, total, remark)

    token = _listener.set(report_to_both)
    try:
        yield
    finally:
        _listener.reset(token)
