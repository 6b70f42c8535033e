"""What the tasks of a flow run on, as the settings say."""

from typing import Any

from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner, ThreadPoolTaskRunner

from pipeline.errors import SettingsError
from pipeline.processes import available_cores
from pipeline.settings import Settings

_DASK = "dask"


def task_runner(settings: Settings) -> TaskRunner[Any]:
    """Return the task runner that the settings name.

    Raises
    ------
    SettingsError
        Where it needs what is not installed.
    """
    name = settings.task_runner
    if name == "threads":
        return ThreadPoolTaskRunner(max_workers=available_cores())
    if name == "processes":
        return ProcessPoolTaskRunner(max_workers=available_cores())
    try:
        from prefect_dask.task_runners import DaskTaskRunner
    except ModuleNotFoundError:
        raise SettingsError(
            f"DIGITS_TASK_RUNNER={name} needs Dask: pip install 'digits-pipeline[dask]'."
        ) from None
    if name == _DASK:
        cluster = {"n_workers": available_cores(), "threads_per_worker": 1}
        return DaskTaskRunner(cluster_kwargs=cluster)
    return DaskTaskRunner(address=name.replace("dask://", "tcp://", 1))
