"""The stages of a job as tasks of the current Prefect flow run."""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Any, ParamSpec, TypeVar, cast

from prefect import Task, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.futures import PrefectFuture
from prefect.tasks import exponential_backoff

from pipeline.errors import NoMirrorLeftError
from pipeline.stages import bounded_map, plain_calls

_P = ParamSpec("_P")
_T = TypeVar("_T")

# Maximum number of unfinished tasks: enough for a small cluster, and memory stays bounded for
# ten million files.
_MAX_PENDING = 64


class TaskStageRunner:
    """Runs each stage as a task.

    Prefect caches nothing: it would return a cached path even if the file is gone. The stages
    themselves keep what is valid, by digest.
    """

    def call(self, stage: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run a stage as a task and return its result."""
        return cast(_T, _task_of(stage)(*args, **kwargs))

    def map(self, stage: Callable[..., _T], calls: Iterable[tuple[Any, ...]], /) -> Iterator[_T]:
        """Submit a task for each tuple of arguments and yield the results in order."""

        def submit(*args: Any) -> PrefectFuture[_T]:
            # A task runs in a copy of this context, in which its stage is a plain function.
            with plain_calls():
                return _task_of(stage).submit(*args)

        return bounded_map(submit, calls, _MAX_PENDING)


@cache
def _task_of(stage: Callable[..., Any]) -> Task[..., Any]:
    return task(
        cache_policy=NO_CACHE,
        persist_result=False,
        retries=3,
        retry_delay_seconds=exponential_backoff(2),
        retry_jitter_factor=0.5,
        retry_condition_fn=_is_transient,
    )(stage)


def _is_transient(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Return whether a stage failed for a reason that may pass, such as an unreachable mirror."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, NoMirrorLeftError) and error.transient
