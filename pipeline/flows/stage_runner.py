"""The stages of a job as tasks of the current Prefect flow run."""

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import chain
from typing import Any, ParamSpec, TypeVar, cast

from prefect import Task, task
from prefect.assets import Asset, materialize
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.futures import PrefectFuture
from prefect.tasks import exponential_backoff

from pipeline.errors import NoMirrorLeftError
from pipeline.flows.assets import PRODUCTS
from pipeline.stages import bounded_map, plain_calls

_P = ParamSpec("_P")
_T = TypeVar("_T")

# Maximum number of unfinished tasks: enough for a small cluster, and memory stays bounded for
# ten million files.
_MAX_PENDING = 64


# Calls of one task, and tasks below which each makes one: enough for the workers to share.
_MAX_CALLS = 8
_MIN_TASKS = 8


class TaskStageRunner:
    """Runs each stage as a task.

    Prefect caches nothing: it would return a cached path even if the file is gone. The stages
    themselves keep what is valid, by digest.
    """

    def call(self, stage: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run a stage as a task and return its result."""
        return cast(_T, _task_of(stage)(*args, **kwargs))

    def map(self, stage: Callable[..., _T], calls: Iterable[tuple[Any, ...]], /) -> Iterator[_T]:
        """Submit tasks, each of one call or of several, and yield the results in order."""
        every = list(calls)
        size = _calls_of_a_task(len(every))
        groups = ((every[start : start + size],) for start in range(0, len(every), size))

        def submit(group: list[tuple[Any, ...]]) -> PrefectFuture[list[_T]]:
            # A task runs in a copy of this context, in which its stage is a plain function.
            with plain_calls():
                return _task_of_several(stage).submit(group)

        return chain.from_iterable(bounded_map(submit, groups, _MAX_PENDING))


def _calls_of_a_task(calls: int) -> int:
    """Return how many calls one task makes: a task costs Prefect a tenth of a second."""
    return max(1, min(_MAX_CALLS, calls // _MIN_TASKS))


@cache
def _task_of_several(stage: Callable[..., _T]) -> Task[..., list[_T]]:
    def several(calls: list[tuple[Any, ...]]) -> list[_T]:
        return [stage(*call) for call in calls]

    return _task_of(several, stage.__name__)


@cache
def _task_of(stage: Callable[..., Any], name: str | None = None) -> Task[..., Any]:
    options: dict[str, Any] = {
        "name": name,
        "cache_policy": NO_CACHE,
        "persist_result": False,
        "retries": 3,
        "retry_delay_seconds": exponential_backoff(2),
        "retry_jitter_factor": 0.5,
        "retry_condition_fn": _is_transient,
    }
    product = PRODUCTS.get(stage)
    if product is None:
        made: Task[..., Any] = task(**options)(stage)
        return made
    made_of: list[Asset | str] = [*product.made_of]
    return materialize(product.asset, asset_deps=made_of, **options)(product.described(stage))


def _is_transient(_task: Task[..., Any], _run: TaskRun, state: State[Any]) -> bool:
    """Return whether a stage failed for a reason that may pass, such as an unreachable mirror."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, NoMirrorLeftError) and error.transient
