"""The page on troubleshooting quotes messages that the programs really print."""

import ast
import re
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "troubleshooting.md"

# What a message says at a place: a value.
VALUE = "…"


def _quoted():
    """The messages that the page explains, from the lines above its explanations."""
    lines = PAGE.read_text().splitlines()
    terms = [line for line, after in pairwise(lines) if after.startswith(": ")]
    return [
        double or single
        for term in terms
        for double, single in re.findall(r"``(.+?)``|`([^`]+)`", term)
    ]


def _text_of(node):
    """The text of a string with a sign for each value in it, or None."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return re.sub(r"%(s|d|\.\d+f)", VALUE, node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(_text_of(part) or VALUE for part in node.values)
    return None


@pytest.fixture(scope="module")
def messages():
    """Every text in the source, without documentation."""
    texts = set()
    for package in ("pipeline", "registry", "nn"):
        for path in (ROOT / package).rglob("*.py"):
            tree = ast.parse(path.read_text())
            for node in ast.walk(tree):
                if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                    node.value.value = ""
            texts |= {_text_of(node) or "" for node in ast.walk(tree)}
    return texts


@pytest.mark.parametrize("message", _quoted())
def test_a_message_that_is_explained_is_one_that_is_printed(messages, message):
    parts = map(re.escape, message.strip(f"{VALUE} ").split(VALUE))
    # A value in the source may be several words, and so may the sign on the page.
    pattern = re.compile(".*".join(parts), re.DOTALL)
    assert any(pattern.search(text) for text in messages)


def test_the_page_explains_messages():
    assert len(_quoted()) > 15
