"""The task runner that the settings name."""

from typing import Any

from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner, ThreadPoolTaskRunner

from nn import available_cores
from pipeline.errors import SettingsError
from pipeline.flows.environment import DASK, PROCESSES, THREADS, require_task_runner
from pipeline.settings import Settings, load_settings


class _Configured(ThreadPoolTaskRunner[Any]):
    """Stands for the task runner of the settings, which are read when a flow starts.

    Prefect duplicates a flow's task runner for each run. No settings are read at import, so an
    invalid one fails only the flows that use it.
    """

    def duplicate(self) -> Any:
        """Return the task runner that the settings name now, or threads if they are invalid.

        An error here would leave the run pending for ever: the flow itself has to raise it.
        """
        try:
            return task_runner(load_settings())
        except SettingsError:
            return super().duplicate()


def configured_task_runner() -> TaskRunner[Any]:
    """Return a task runner that becomes the one of the settings when a flow starts."""
    return _Configured()


def task_runner(settings: Settings) -> TaskRunner[Any]:
    """Return the task runner that the settings name.

    Raises
    ------
    SettingsError
        If it is not known, or needs a package that is not installed.
    """
    require_task_runner(settings)
    name = settings.task_runner
    if name == THREADS:
        return ThreadPoolTaskRunner(max_workers=available_cores())
    if name == PROCESSES:
        return ProcessPoolTaskRunner(max_workers=available_cores())
    from prefect_dask.task_runners import DaskTaskRunner

    if name == DASK:
        cluster = {"n_workers": available_cores(), "threads_per_worker": 1}
        return DaskTaskRunner(cluster_kwargs=cluster)
    return DaskTaskRunner(address=name.replace("dask://", "tcp://", 1))
