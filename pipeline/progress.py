"""The progress of long work, reported to a listener.

The work calls `report`; the command line listens in a block of `reporting_to`. The listener is a
context variable, not a parameter: Prefect stores the parameters of a flow, and it cannot store a
progress bar.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from typing import TypeVar

_T = TypeVar("_T")

Listener = Callable[[str, float, float, str], None]
"""Gets the activity, how much of it is done, how much there is in total, and a remark."""

Counter = Callable[[int], None]
"""Gets how many more images have been read."""

_listener: ContextVar[Listener | None] = ContextVar("listener", default=None)

_counter: ContextVar[Counter | None] = ContextVar("counter", default=None)


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


def counted(images: Iterable[_T]) -> Iterator[_T]:
    """Yield images, and count each when it was dealt with."""
    counter = _counter.get()
    if counter is None:
        yield from images
        return
    for image in images:
        yield image
        counter(1)


@contextlib.contextmanager
def counting_to(counter: Counter) -> Iterator[None]:
    """Let `counter` count the images that are read in this block."""
    token = _counter.set(counter)
    try:
        yield
    finally:
        _counter.reset(token)
