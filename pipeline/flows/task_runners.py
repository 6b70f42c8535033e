"""The task runner that the settings name."""

from typing import Any

from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner, ThreadPoolTaskRunner

from nn import available_cores
from pipeline.errors import SettingsError
from pipeline.settings import Settings, load_settings

_DASK = "dask"


class _Configured(ThreadPoolTaskRunner[Any]):
    """Stands for the task runner of the settings, which are read when a flow starts.

    Prefect duplicates a flow's task runner for each run. Nothing is read at import, so an invalid
    setting fails the flows that need it, with its own message, and no import.
    """

    def duplicate(self) -> Any:
        """Return the task runner that the settings name now."""
        return task_runner(load_settings())


def configured_task_runner() -> TaskRunner[Any]:
    """Return a task runner that becomes the one of the settings when a flow starts."""
    return _Configured()


def task_runner(settings: Settings) -> TaskRunner[Any]:
    """Return the task runner that the settings name.

    Raises
    ------
    SettingsError
        If it needs a package that is not installed.
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
