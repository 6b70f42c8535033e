"""How the stages of a job are run: called as they are, or as the tasks of a Prefect flow.

A job (`pipeline.retraining`, `pipeline.scoring`) is one function that calls its stages through
a `Runner`. So the order of the stages stands in one place, whoever runs them.
"""

from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


class Runner(Protocol):
    """Runs a stage and returns what it returns."""

    def __call__(self, stage: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        """Run the stage with these arguments."""


def directly(stage: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
    """Call the stage."""
    return stage(*args, **kwargs)
