"""How far long work has come, told to whoever listens.

The work calls `report`; the command line listens, in a block of `reporting_to`. The listener
travels in a context variable, not as a parameter: the parameters of a flow are stored by
Prefect, and a progress bar cannot be.
"""

import contextlib
from collections.abc import Callable, Iterator
from contextvars import ContextVar

Listener = Callable[[str, float, float, str], None]
"""Takes what is being done, how much of it is done, how much there is, and a remark."""

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)


def report(activity: str, done: float, total: float, remark: str = "") -> None:
    """Say that `done` of `total` is done."""
    listener = _listener.get()
    if listener is not None:
        listener(activity, done, total, remark)


@contextlib.contextmanager
def reporting_to(listener: Listener) -> Iterator[None]:
    """Send the reports made in this block to `listener`, after whoever listens already."""
    outer = _listener.get()

    def tell_both(activity: str, done: float, total: float, remark: str) -> None:
        if outer is not None:
            outer(activity, done, total, remark)
        listener(activity, done, total, remark)

    token = _listener.set(tell_both)
    try:
        yield
    finally:
        _listener.reset(token)
