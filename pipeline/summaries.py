"""Outcomes in a few words: as a notebook shows them, and numbers with their nouns."""

from html import escape
from textwrap import shorten

_WIDTH = 100


class Summarized:
    """Gives a record the short representations of its `summary`."""

    __slots__ = ()

    def summary(self) -> dict[str, object]:
        """Return what matters most, by name, most important first."""
        raise NotImplementedError

    def __repr__(self) -> str:
        first, *others = (f"{name} {value}" for name, value in self.summary().items())
        lines = [f"{type(self).__name__}: {first}", ", ".join(others)]
        return "\n  ".join(shorten(line, _WIDTH, placeholder=" …") for line in lines if line)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th style='text-align: left'>{escape(name)}</th>"
            f"<td style='text-align: left'>{escape(str(value))}</td></tr>"
            for name, value in self.summary().items()
        )
        return f"<table><caption>{type(self).__name__}</caption>{rows}</table>"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun: ``1 image``, ``1,000 images``."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
