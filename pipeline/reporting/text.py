"""Printing to standard output: tables for people, JSON for programs."""

import json
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from textwrap import wrap
from typing import Any

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.text import Text

_BARS = "▁▂▃▄▅▆▇█"

# Columns if the output is not a terminal: wide enough that no line is broken.
_WIDTH = 200


def width() -> int:
    """Return the columns of standard output: those of the terminal, or enough for any line."""
    console = Console()
    return console.width if console.is_terminal else _WIDTH


def show(*renderables: RenderableType) -> None:
    """Print to standard output. No line of it is padded, unless it is a terminal's."""
    console = Console(highlight=False)
    if console.is_terminal:
        console.print(Group(*renderables), crop=False)
        return
    console.width = _WIDTH
    with console.capture() as capture:
        console.print(Group(*renderables), crop=False)
    print("\n".join(line.rstrip() for line in capture.get().splitlines()))  # noqa: T201 - as is


def show_json(value: Any) -> None:
    """Print a value as JSON."""
    print(json.dumps(value, indent=2))  # noqa: T201 - Rich would change the text


class Card:
    """Names and values. A long value is wrapped between words; a digest or a path is not broken."""

    def __init__(self, title: str, style: str = "bold") -> None:
        self._title = Text(title, style=style)
        self._rows: list[tuple[str, Text]] = []

    def add_row(self, name: str, value: str | Text) -> None:
        """Add a name and its value."""
        self._rows.append((name, value if isinstance(value, Text) else Text(value)))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self._title
        indent = max((len(name) for name, _ in self._rows), default=0) + 3
        for name, value in self._rows:
            lines = wrapped(value.plain, options.max_width - indent) or [""]
            for index, line in enumerate(lines):
                label = f" {name:<{indent - 3}}  " if index == 0 else " " * indent
                text = Text(label, style="dim", overflow="ignore", no_wrap=True)
                yield text.append(line, style=value.style or "none")


def wrapped(text: str, columns: int) -> list[str]:
    """Return the lines of a text; a word that is longer than a line is not broken."""
    return [
        line
        for paragraph in text.splitlines()
        for line in wrap(
            paragraph, max(columns, 20), break_long_words=False, break_on_hyphens=False
        )
    ]


class Lines:
    """Lines of text, wrapped between words."""

    def __init__(self, lines: Sequence[str]) -> None:
        self._lines = lines

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for each in self._lines:
            indent = " " * (len(each) - len(each.lstrip()))
            for line in wrapped(each, options.max_width - len(indent)):
                start = "" if line.startswith(indent) else indent
                yield Text(start + line, overflow="ignore", no_wrap=True)


def moment(value: datetime) -> str:
    """Return a time as text, to the second."""
    return f"{value:%Y-%m-%d %H:%M:%S}"


def sparkline(figures: Sequence[float], low: float = 0.0) -> str:
    """Return a bar for each figure, on a scale from `low` to the largest figure."""
    span = (max(figures) - low) or 1.0
    return "".join(_BARS[round((figure - low) / span * (len(_BARS) - 1))] for figure in figures)


def plain(value: object) -> str:
    """Return a text without control characters, which a terminal would obey."""
    return "".join(c for c in str(value) if unicodedata.category(c) not in {"Cc", "Cf", "Zl", "Zp"})
