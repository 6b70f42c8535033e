"""Sentences for people. On a terminal, their lines are broken between words."""

import shutil
import sys
from typing import TextIO

import typer


def say(text: str, *, err: bool = False) -> None:
    """Print a message on standard output, or on standard error."""
    stream = sys.stderr if err else sys.stdout
    if is_terminal(stream):
        columns = shutil.get_terminal_size().columns
        text = "\n".join(_wrapped(line, columns) for line in text.splitlines())
    typer.echo(text, err=err)


def is_terminal(stream: TextIO) -> bool:
    """Whether somebody reads a stream on a terminal."""
    return stream.isatty()


def _wrapped(line: str, columns: int) -> str:
    """Return a line in several; a word that is longer than a line, such as a path, is whole."""
    from textwrap import fill

    indent = " " * (len(line) - len(line.lstrip(" ")))
    return fill(
        line,
        max(columns, 20),
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
