"""What README and documentation show: every command is run, and prints what is shown."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from shown_commands import Block, Shown, matches, read_document

ROOT = Path(__file__).parents[3]
GENERATED = ROOT / "docs" / "reference" / "generated"
DOCUMENTS = [
    path
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if GENERATED not in path.parents
]
# In these, the reader has nothing yet. In the others there is a champion.
FROM_NOTHING = {"README.md", "tutorial.md"}
SHELLS = {"sh", "bash", "shell"}
FLOWS = {"retrain", "score"}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_commands_print_what_is_shown(path, digits, request, tmp_path, monkeypatch):
    blocks = [block for block in read_document(path) if _is_run(block)]
    if not blocks:
        return
    request.getfixturevalue("brief_training")
    request.getfixturevalue("sources" if path.name in FROM_NOTHING else "retrained")
    monkeypatch.setenv("DIGITS_GATE__MIN_ACCURACY", "0.3")
    for name, value in request.getfixturevalue("environment_apart").items():
        monkeypatch.setenv(name, value)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setenv("PWD", str(work))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    session = Session(digits, monkeypatch)
    names = {}
    for block in blocks:
        if isinstance(block, Block) and block.language == "python":
            exec(compile("\n".join(block.text), f"{path.name}:{block.line}", "exec"), names)
            continue
        for shown in [block] if isinstance(block, Shown) else block.commands():
            session.run(shown)
    session.end()


def _is_run(block):
    return isinstance(block, Shown) or (
        block.language in {"console", "python"} and not block.reason
    )


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_no_command_is_hidden_from_the_tests(path):
    """A block with commands is a console, which is run, or says why it is not."""
    for block in read_document(path):
        if isinstance(block, Block) and block.language in {"", "text"}:
            first = block.text[0].split() if block.text else []
            assert not first or first[0] not in {"$", "digits", "make", "pip", "prefect"}, (
                f"{path.name}, line {block.line}"
            )
        elif isinstance(block, Block):
            assert block.language not in SHELLS or block.reason, f"{path.name}, line {block.line}"


class Session:
    """A terminal: it has a directory and the status of the last command."""

    def __init__(self, digits, monkeypatch):
        self._digits = digits
        self._monkeypatch = monkeypatch
        self._status = 0
        self._failed = ""

    def run(self, shown):
        asks_for_status = shown.command == "echo $?"
        assert asks_for_status or not self._failed, f"{self._failed}\nended with an error"
        printed = self._run(shown.command)
        expected = "\n".join(shown.output)
        told = f"line {shown.line}: {shown.command}\n--- shown\n{expected}\n--- printed\n{printed}"
        assert not shown.output or matches(shown.output, printed), told
        # A failure is shown: by its message, or by the status that is asked for next.
        is_shown = self._status == 0 or "Error" in expected or asks_for_status
        self._failed = "" if is_shown else told

    def end(self):
        assert not self._failed, self._failed

    def _run(self, command):
        if command == "echo $?":
            return str(self._status)
        words = shlex.split(command, comments=True)
        if words[:1] == ["export"]:
            name, _, value = words[1].partition("=")
            self._monkeypatch.setenv(name, os.path.expandvars(value))
            return ""
        is_plain = words[:1] == ["digits"] and not {"|", ">", "&&", "&"} & set(words)
        if not is_plain:
            ended = subprocess.run(
                ["bash", "-c", command], capture_output=True, text=True, check=False
            )
            self._status = ended.returncode
            return ended.stdout + ended.stderr
        arguments = [os.path.expandvars(word) for word in words[1:]]
        if arguments[0] in FLOWS and not {"--direct", "--help", "--explain"} & set(arguments):
            # Each flow would start a server. The flows are tested in a room of their own.
            arguments.append("--direct")
        ended = self._digits(*arguments)
        self._status = ended.status
        progress = ("Train: ", "Score with ", "Download ", "Read labelled images: ")
        lines = [line for line in ended.err.splitlines() if not line.startswith(progress)]
        return ended.out + "\n".join(lines)
