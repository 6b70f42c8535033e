"""The commands that documents show, and what they say that these print.

A block of the language ``console`` is a session: a line that begins with ``$`` is a command, a line
that ends with a backslash goes on in the next, and the other lines are what is printed. A comment
before a block says why it is not run (``<!-- not run: REASON -->``), or what a reader has done
before (``<!-- before: COMMAND -->``).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

_FENCE = re.compile(r"^(\s*)(```+|:::+)\s*(\S*)")
_BEFORE = re.compile(r"<!-- before: (.*?) -->")
_NOT_RUN = re.compile(r"<!-- not run: (.*?) -->")


@dataclass
class Shown:
    """A command, and the lines below it."""

    line: int
    command: str
    output: list[str] = field(default_factory=list)


@dataclass
class Block:
    """A fenced block of a document."""

    line: int
    language: str
    text: list[str]
    reason: str | None
    """Why it is not run."""

    def commands(self) -> list[Shown]:
        """Return the commands of a session."""
        commands: list[Shown] = []
        goes_on = False
        for number, text in enumerate(self.text, self.line + 1):
            if goes_on:
                commands[-1].command = commands[-1].command.removesuffix("\\") + text.strip()
            elif text.startswith("$ "):
                commands.append(Shown(number, text.removeprefix("$ ")))
            elif commands:
                commands[-1].output.append(text)
            else:
                raise AssertionError(f"line {number}: printed before any command")
            goes_on = (goes_on or text.startswith("$ ")) and text.endswith("\\")
        return commands


def read_document(path: Path) -> Iterator[Block | Shown]:
    """Yield the blocks of a document, and what is to be done before, in their order."""
    block: Block | None = None
    fence = ""
    reason: str | None = None
    for number, text in enumerate(path.read_text().splitlines(), 1):
        opening = _FENCE.match(text)
        if block is not None:
            if text.strip() == fence:
                yield block
                block = None
            else:
                block.text.append(text)
        elif opening:
            fence = opening[2]
            block = Block(number, opening[3], [], reason)
            reason = None
        elif not_run := _NOT_RUN.search(text):
            reason = not_run[1]
        elif before := _BEFORE.search(text):
            yield Shown(number, before[1], ["…"])


def matches(expected: list[str], printed: str) -> bool:
    """Whether a command printed what a document shows.

    Numbers, digests, times and the width of columns may differ; ``…`` stands for any text, and for
    any lines if it is alone on a line.
    """
    pattern = "\n".join(
        ".*" if line.strip() == "…" else re.escape(_plain(line)).replace("…", ".*")
        for line in expected
    )
    pattern = pattern.replace("\n.*\n", "\n(?:.*\n)?").removesuffix("\n.*")
    rest = "" if expected and expected[-1].strip() != "…" else "(?:\n.*)?"
    text = "\n".join(_plain(line) for line in printed.strip().splitlines())
    return re.fullmatch(pattern.strip() + rest, text, re.DOTALL) is not None


def _plain(line: str) -> str:
    line = re.sub(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b|\b[0-9a-f]{7,64}\b", "#", line)
    line = re.sub(r"\d+", "0", line)
    line = re.sub(r"0(?:[.,]0)+", "0", line)
    line = re.sub(r"[▁▂▃▄▅▆▇█]+", "▁", line)
    return " ".join(line.split())
