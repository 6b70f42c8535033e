"""A limit on the threads of BLAS that several users in one process may share."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from threadpoolctl import ThreadpoolController, threadpool_limits

_lock = threading.Lock()
_users = 0
_limits: threadpool_limits | None = None


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Limit BLAS to one thread while anyone in this process asks for it.

    The limit belongs to the whole process. The first user sets it and the last one restores the
    earlier value, so users in several threads may overlap in any order. With
    `threadpoolctl.threadpool_limits` alone the one that leaves last would restore a limit that
    another had set.
    """
    global _users, _limits
    with _lock:
        if _users == 0:
            _limits = ThreadpoolController().limit(limits=1, user_api="blas")
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0 and _limits is not None:
                _limits.restore_original_limits()
                _limits = None
