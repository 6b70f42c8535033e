"""A run goes on while the Prefect server is away, and waits for it to report its end."""

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager

from prefect.client.orchestration import get_client
from prefect.runtime import deployment
from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

_log = logging.getLogger(__name__)

# Seconds. A server that was restarted or upgraded is back sooner.
_LONGEST = 3600

# Seconds from one look to the next.
_PAUSE = 2


@contextmanager
def server_at_the_end() -> Iterator[None]:
    """Wait after this block until the Prefect server answers, but not for ever.

    The work is done then, and a run that cannot say so would be marked as crashed. A run that was
    started on the command line does not wait: somebody sees its error.
    """
    try:
        yield
    except Exception:
        _wait_for_server()
        raise
    _wait_for_server()


def _wait_for_server() -> None:
    if deployment.get_id() is None:
        return
    deadline = time.monotonic() + _LONGEST
    # The loop below is the retry.
    once = temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0})
    with once, get_client(sync_client=True) as client:
        error = client.api_healthcheck()
        if error is not None:
            _log.warning("The Prefect server does not answer (%s); waiting for it.", error)
        while error is not None and time.monotonic() < deadline:
            time.sleep(_PAUSE)
            error = client.api_healthcheck()
