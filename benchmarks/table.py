"""The tables that the benchmarks of the network print."""

import statistics
from collections.abc import Sequence

_NAME = 66


def heading(name: str) -> None:
    """Print the first line of a table."""
    print(f"\n{name:<{_NAME}} {'min':>8} {'median':>8} {'max':>8}   goal", flush=True)


def row(name: str, figures: Sequence[float], goal: str = "", digits: int = 2) -> None:
    """Print a line of the table: one figure by itself, or the spread of several."""
    shown = [f"{f(figures):.{digits}f}" for f in (min, statistics.median, max)]
    if len(figures) == 1:
        shown[0] = shown[2] = ""
    low, middle, high = shown
    print(f"{name:<{_NAME}} {low:>8} {middle:>8} {high:>8}   {goal}".rstrip(), flush=True)


def missing(name: str, reason: str) -> None:
    """Print a line that says why there is no figure."""
    print(f"{name:<{_NAME}} {reason}", flush=True)
