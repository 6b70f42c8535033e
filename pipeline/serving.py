"""Serving the scheduled retraining to a Prefect server."""

import warnings
from typing import Any, cast

from prefect import serve as serve_deployments
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.deployments.runner import RunnerDeployment
from prefect.schedules import Cron
from prefect.types.entrypoint import EntrypointType

from pipeline import flows
from pipeline.errors import SettingsError


def serve(cron: str, parameters: dict[str, Any]) -> None:
    """Serve ``retrain`` until this process is told to stop.

    Parameters
    ----------
    cron : str
        Five fields, in UTC.
    parameters : dict
        Of the flow.

    Raises
    ------
    SettingsError
        Where the cron expression is none.
    """
    try:
        schedule = Cron(cron, timezone="UTC")
    except ValueError as error:
        raise SettingsError(
            f"cron: expected five fields like '0 3 * * *', got {cron!r} ({error})."
        ) from None
    # Outside an event loop this is the deployment itself, not a promise of it.
    deployment = cast(
        RunnerDeployment,
        flows.retrain.to_deployment(
            "scheduled",
            schedule=schedule,
            parameters=parameters,
            # A late run waits; a cancelled one would be a night without a word.
            concurrency_limit=ConcurrencyLimitConfig(
                limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE
            ),
            entrypoint_type=EntrypointType.MODULE_PATH,
        ),
    )
    # Prefect 3.8 forgets to await its own clean-up on SIGTERM, and exits right after.
    warnings.filterwarnings("ignore", r"coroutine 'Runner.astop'", RuntimeWarning)
    # By default Prefect pauses the schedule at the end, and it would stay paused.
    serve_deployments(deployment, pause_on_shutdown=False, limit=1)
