"""Printing the tables of the registry benchmarks: median and p99 in milliseconds."""

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
    """Return the percentile of a share in [0, 1]; of fewer than 100 values, p99 is the largest."""
    return sorted(seconds)[min(len(seconds) - 1, int(len(seconds) * share))]


def spread(seconds: Sequence[float]) -> str:
    """Return the median and the 99th percentile as a cell."""
    if not seconds:
        return "–"
    return " / ".join(_milliseconds(percentile(seconds, share)) for share in (0.5, 0.99))


def _milliseconds(seconds: float) -> str:
    milliseconds = seconds * 1e3
    return f"{milliseconds:,.0f}" if milliseconds >= 100 else f"{milliseconds:.3g}"
