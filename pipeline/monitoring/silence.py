"""Silence of the libraries that log the addresses they send to, while we send."""

import contextlib
import logging
from collections.abc import Iterator
from contextvars import ContextVar

_LOGGERS = ("apprise", "urllib3.connectionpool", "urllib3.util.retry")

_is_silent: ContextVar[bool] = ContextVar("is_silent", default=False)


@contextlib.contextmanager
def silent_libraries() -> Iterator[None]:
    """Drop the log records that these libraries write in this block; not those of other threads."""
    for name in _LOGGERS:
        # A logger takes the same filter only once.
        logging.getLogger(name).addFilter(_is_audible)
    token = _is_silent.set(True)
    try:
        yield
    finally:
        _is_silent.reset(token)


def _is_audible(_record: logging.LogRecord) -> bool:
    return not _is_silent.get()
