"""Names of flow runs that say what they did."""

import contextlib
from uuid import UUID

import httpx
from prefect.client.orchestration import get_client
from prefect.runtime import flow_run


def rename_run(name: str) -> None:
    """Rename the current flow run. If the request fails, the run keeps its old name."""
    run_id = flow_run.get_id()
    if run_id is not None:
        with contextlib.suppress(httpx.HTTPError), get_client(sync_client=True) as client:
            client.set_flow_run_name(UUID(run_id), name)
