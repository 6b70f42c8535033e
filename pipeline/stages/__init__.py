"""Stages: the plain functions that a job calls, and who runs them.

A job calls a stage like any function: ``verdict = judge(...)``. Outside a block of
`run_stages_with` the function is simply called. Inside such a block the call goes to a stage
runner, which may run it as a Prefect task or in another process. The runner travels in a context
variable, so jobs have no parameter for it and their stages are checked like any other call.
"""

import contextlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextvars import ContextVar
from functools import wraps
from typing import Any, ParamSpec, Protocol, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")
_R = TypeVar("_R", covariant=True)


class StageRunner(Protocol):
    """Runs the stages of a job."""

    def call(self, stage: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run a stage and return its result."""

    def map(self, stage: Callable[..., _T], calls: Iterable[tuple[Any, ...]], /) -> Iterator[_T]:
        """Run a stage once for each tuple of arguments and yield the results, in any order."""


class Future(Protocol[_R]):
    """The result of a call that runs elsewhere."""

    def result(self) -> _R:
        """Wait for the call to end and return its result."""


_runner: ContextVar[StageRunner | None] = ContextVar("stage_runner", default=None)


def stage(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Mark a function as a stage: calls of it go through the current stage runner."""

    @wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        runner = _runner.get()
        if runner is None:
            return function(*args, **kwargs)
        # A stage that is called by another stage is part of it, so it is a plain function call.
        with plain_calls():
            return runner.call(call, *args, **kwargs)

    return call


def map_stage(stage: Callable[..., _T], calls: Iterable[tuple[Any, ...]], /) -> Iterator[_T]:
    """Run a stage once for each tuple of arguments and yield the results, in any order."""
    runner = _runner.get()
    return serial_map(stage, calls) if runner is None else runner.map(stage, calls)


@contextlib.contextmanager
def run_stages_with(runner: StageRunner) -> Iterator[None]:
    """Let `runner` run the stages that are called in this block."""
    with _current(runner):
        yield


def current_runner() -> StageRunner | None:
    """Return the runner of the stages that are called here; None if they are plain calls."""
    return _runner.get()


@contextlib.contextmanager
def plain_calls() -> Iterator[None]:
    """Make stages plain functions again in this block: the runner's own calls of them."""
    with _current(None):
        yield


@contextlib.contextmanager
def _current(runner: StageRunner | None) -> Iterator[None]:
    token = _runner.set(runner)
    try:
        yield
    finally:
        _runner.reset(token)


def serial_map(function: Callable[..., _T], calls: Iterable[tuple[Any, ...]], /) -> Iterator[_T]:
    """Make one call after another and yield the results."""
    for call in calls:
        yield function(*call)


def bounded_map(
    submit: Callable[..., Future[_T]], calls: Iterable[tuple[Any, ...]], limit: int
) -> Iterator[_T]:
    """Submit calls, at most `limit` of them unfinished at once, and yield the results in order."""
    pending: deque[Future[_T]] = deque()
    for call in calls:
        if len(pending) == limit:
            yield pending.popleft().result()
        pending.append(submit(*call))
    while pending:
        yield pending.popleft().result()
