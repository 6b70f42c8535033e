"""A run goes on if its concurrency lease is lost.

A lease is lost if the Prefect server is away when it is to be renewed. Prefect then ends the run,
to keep a second one from starting. Here the jobs' own locks do that, and an hour of training is
worth more than a slot.
"""

from contextlib import AbstractContextManager
from uuid import UUID

from prefect import flow_engine
from prefect.concurrency._leases import maintain_concurrency_lease


def survive_lost_leases() -> None:
    """Let the flow runs of this process go on, with a warning, if their lease is lost."""
    flow_engine.maintain_concurrency_lease = _maintain  # type: ignore[attr-defined, assignment]


def _maintain(lease: UUID, seconds: float, **_: object) -> AbstractContextManager[None]:
    return maintain_concurrency_lease(lease, seconds, raise_on_lease_renewal_failure=False)
