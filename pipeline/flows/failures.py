"""The failures that a job itself cannot tell: hooks of the flows."""

from typing import Any

from prefect.client.schemas.objects import FlowRun, State
from prefect.flows import Flow

from pipeline.monitoring.runs import record_lost_run


def tell_failure(flow: Flow[..., Any], flow_run: FlowRun, state: State) -> None:
    """Have people told of a run that failed or crashed, unless its job has told already.

    It has not if it never began, such as with parameters that are not valid, or if its process was
    killed.
    """
    outcome = "crashed" if state.is_crashed() else "failed"
    record_lost_run(flow.name, str(flow_run.id), outcome, state.message)
