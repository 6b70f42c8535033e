"""Printing to standard output: tables for people, JSON for programs."""

import json
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table

_BARS = "▁▂▃▄▅▆▇█"

# Columns if the output is not a terminal: wide enough that no line is broken.
_WIDTH = 200


def show(*renderables: RenderableType) -> None:
    """Print to standard output."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH
    console.print(Group(*renderables))


def show_json(value: Any) -> None:
    """Print a value as JSON."""
    print(json.dumps(value, indent=2))  # noqa: T201 - Rich would change the text


def card(title: str, style: str = "bold") -> Table:
    """Return a table of names and values."""
    table = Table(title=title, title_style=style, title_justify="left", box=None, show_header=False)
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    return table


def moment(value: datetime) -> str:
    """Return a time as text, to the second."""
    return f"{value:%Y-%m-%d %H:%M:%S}"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun: ``1 image``, ``1,000 images``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def sparkline(figures: Sequence[float], low: float = 0.0) -> str:
    """Return a bar for each figure, on a scale from `low` to the largest figure."""
    span = (max(figures) - low) or 1.0
    return "".join(_BARS[round((figure - low) / span * (len(_BARS) - 1))] for figure in figures)


def plain(value: object) -> str:
    """Return a text without control characters, which a terminal would obey."""
    return "".join(c for c in str(value) if unicodedata.category(c) not in {"Cc", "Cf", "Zl", "Zp"})
