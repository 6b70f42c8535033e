"""A limit on the threads of BLAS that several users in one process may share."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from threadpoolctl import ThreadpoolController

_lock = threading.Lock()
_users = 0
_restore: Callable[[], None] | None = None


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Limit BLAS to one thread while anyone in this process asks for it.

    The limit belongs to the whole process. The first user sets it and the last one restores the
    earlier value, so users in several threads may overlap in any order. With
    `threadpoolctl.threadpool_limits` alone the one that leaves last would restore a limit that
    another had set.
    """
    global _users
    with _lock:
        if _users == 0:
            _in_a_thread(_set_limit)
        _users += 1
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0 and _restore is not None:
                _in_a_thread(_restore)


def _set_limit() -> None:
    global _restore
    limiter = ThreadpoolController().limit(limits=1, user_api="blas")
    _restore = limiter.restore_original_limits


def _in_a_thread(action: Callable[[], None]) -> None:
    """Run a function in a thread of its own, and wait for its end.

    Since release 3.8 threadpoolctl only lets the thread that limits OpenBLAS first limit it again,
    as long as that thread lives; calls from other threads do nothing.
    """
    thread = threading.Thread(target=action)
    thread.start()
    thread.join()
