"""Which failed flow runs are tried again: those whose cause may pass by itself."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRunPolicy
from prefect.runtime import flow_run

from pipeline.errors import NoMirrorLeftError, WorkerError
from registry import UnavailableError

RETRIES = 2
"""How often a failed flow run is tried again."""

RETRY_DELAY = 300
"""Seconds before it is."""

# What a user has to mend.
_LASTING = (FileNotFoundError, FileExistsError, PermissionError, NotADirectoryError)


def may_pass(error: Exception) -> bool:
    """Return whether the cause of a failure may pass by itself."""
    if isinstance(error, NoMirrorLeftError):
        return error.transient
    # Such as a file server or a database that is away, or too little memory.
    if isinstance(error, OSError):
        return not isinstance(error, _LASTING)
    return isinstance(error, UnavailableError | WorkerError)


@contextmanager
def only_what_may_pass() -> Iterator[None]:
    """Let the current flow run end at once if this block fails for another reason."""
    try:
        yield
    except Exception as error:
        run_id = flow_run.get_id()
        if run_id is not None and not may_pass(error):
            # Without a server there is no retry either.
            with suppress(httpx.HTTPError), get_client(sync_client=True) as client:
                # Prefect has no condition for the retries of a flow, as it has for those of a task.
                policy = FlowRunPolicy(retries=0, retry_delay=0)
                client.update_flow_run(UUID(run_id), empirical_policy=policy)
        raise
