"""The tables that the benchmarks of the registry print: a median and a p99, in milliseconds."""

from collections.abc import Sequence

_NAME = 50
_CELL = 15


def heading(name: str, columns: Sequence[str], last: str = "goal") -> None:
    """Print the first line of a table."""
    print()
    row(name, columns, last)


def row(name: str, cells: Sequence[str], last: str = "") -> None:
    """Print a line of a table."""
    line = f"{name:<{_NAME}}" + "".join(f" {cell:>{_CELL}}" for cell in cells)
    print(f"{line}   {last}".rstrip(), flush=True)


def percentile(seconds: Sequence[float], share: float) -> float:
    """Return the figure that this share of all do not exceed; with few, p99 is the largest."""
    return sorted(seconds)[min(len(seconds) - 1, int(len(seconds) * share))]


def spread(seconds: Sequence[float]) -> str:
    """Return the median and the 99th percentile as a cell."""
    if not seconds:
        return "–"
    return " / ".join(_milliseconds(percentile(seconds, share)) for share in (0.5, 0.99))


def _milliseconds(seconds: float) -> str:
    figure = seconds * 1e3
    return f"{figure:,.0f}" if figure >= 100 else f"{figure:.3g}"
