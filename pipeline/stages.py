"""How the stages of a job are run: called as they are, or as the tasks of a Prefect flow.

A job (`pipeline.retraining`, `pipeline.scoring`) is one function that calls its stages through
a `Runner`, and a stage for each of many shards through a `Spread`. So the order of the stages
stands in one place, whoever runs them.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ParamSpec, Protocol, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")
_R = TypeVar("_R", covariant=True)


class Runner(Protocol):
    """Runs a stage and returns what it returns."""

    def __call__(self, stage: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run the stage with these arguments."""


class Spread(Protocol):
    """Runs a stage once for each of many arguments, in order or side by side."""

    def __call__(
        self, stage: Callable[..., _T], calls: Iterable[tuple[Any, ...]], /
    ) -> Iterator[_T]:
        """Yield what the calls return, in whatever order they end."""


class Future(Protocol[_R]):
    """What a call returns that runs elsewhere."""

    def result(self) -> _R:
        """Wait for it, and return what it returned."""


def directly(stage: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Call the stage."""
    return stage(*args, **kwargs)


def in_turn(stage: Callable[..., _T], calls: Iterable[tuple[Any, ...]], /) -> Iterator[_T]:
    """Make one call after another."""
    for call in calls:
        yield stage(*call)


def side_by_side(
    submit: Callable[..., Future[_T]], calls: Iterable[tuple[Any, ...]], most: int
) -> Iterator[_T]:
    """Make calls, at most so many at once, and yield what they return in their order."""
    under_way: deque[Future[_T]] = deque()
    for call in calls:
        if len(under_way) == most:
            yield under_way.popleft().result()
        under_way.append(submit(*call))
    while under_way:
        yield under_way.popleft().result()
