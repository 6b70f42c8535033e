"""Random filter conditions: drawn as syntax trees, and written as text in any way there is."""

import math
import random
import re
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from hypothesis import strategies as st

from registry.filters.grammar import MAPPINGS, OPTIONAL, And, Comparison, Condition, Field, Not, Or

# Quotes, patterns, escapes, characters outside ASCII, and texts with the same indexed prefix.
_LONG = "x" * 250
TEXTS = [
    *("", "ocr", "OCR", "it's", 'say "hi"', "50%", "a_b", "axb", "a\\b", "a\\%b", "café", "cafe"),
    *("日本", "😀", "line\nbreak", "tab\there", "'; DROP TABLE versions; --", "null", "true", "5"),
    *("5.0", '"quoted"', "[1,2]", "\\u00e9", "é", _LONG, _LONG + "1", _LONG + "2"),
]
NAMES = ["accuracy", "recall.7", "a b", 'q"uote', "é", "and", "x-y", "'", "%", "7"]
NUMBERS = [0, 1, -1, 0.5, 0.1, 1e-9, -2.5, 3, 1e300, 2**53, 2**53 + 1, 10**18, 10**30]
DIGESTS = ["ab" * 32, "cd" * 32, "0" * 64]
STATES = ["ready", "archived"]

INJECTIONS = [
    *("' OR 1=1 --", "'; DROP TABLE versions; --", '" OR ""="', "') OR ('1'='1", "\\' OR 1=1 --"),
    *("%' --", "x' UNION SELECT * FROM meta --", "${7*7}", ":a", "%(a)s", "?", "/*", "*/", "\\"),
]
"""Texts that mean something to SQL, to a shell or to a template."""


class Moment(NamedTuple):
    """A time relative to that of a version: equal, or one microsecond before or after."""

    index: int
    microseconds: int


_PATTERN_PIECES = ["%", "_", "\\%", "\\_", "\\\\", "\\a", "a", "b", "é", "'", '"', "5", "u", "\n"]
_PATTERNS = st.one_of(
    st.lists(st.sampled_from(_PATTERN_PIECES), max_size=4).map("".join),
    st.sampled_from(TEXTS).map(lambda text: text.replace("\\", "\\\\")[:20] + "%"),
    st.sampled_from(TEXTS).map(lambda text: "%" + text.replace("\\", "\\\\")[1:]),
    st.sampled_from(TEXTS).map(lambda text: re.sub("[^ -~]|[e%]", "_", text.replace("\\", "_"))),
)
_TEXT_VALUES = {
    "name": ["mnist", "letters", "Mnist", "alone"],
    "state": STATES,
    "created_by": ["ann", ""],
    "code_version": ["1.0", "it's", "1"],
    "description": ["good", "it's"],
    "run_id": ["run", "run-7", "RUN"],
    "gate": ["passed", "failed"],
    "parent": ["mnist/1", "mnist/2", "letters/3"],
    "alias": ["live", "live-2", "champion"],
    "sha256": ["ab" * 32, "e"],
    "inputs": DIGESTS,
    "tags": TEXTS,
    "environment": TEXTS,
}
_ORDERED = ["=", "!=", "<", "<=", ">", ">="]
_JSON_VALUES: list[Any] = [*TEXTS, True, False, None]


@st.composite
def _comparisons(draw: st.DrawFn) -> Comparison:
    attribute = draw(
        st.sampled_from([*_TEXT_VALUES, "number", "size", "created_at", "metrics", "params"])
    )
    key = draw(st.sampled_from([*NAMES, "never"])) if attribute in MAPPINGS else None
    operators = [*_ORDERED, "in"]
    values: st.SearchStrategy[Any]
    if attribute in {"number", "size"}:
        values = st.integers(-1, 41) | st.sampled_from([1.5, 3.0, 10**40, 1e999])
    elif attribute == "metrics":
        values = st.sampled_from(NUMBERS) | st.floats(allow_nan=False)
    elif attribute == "created_at":
        values = st.builds(Moment, st.integers(0, 60), st.integers(-1, 1))
    elif attribute == "params":
        operators, values = draw(_param_operands())
    else:
        values = st.sampled_from(_TEXT_VALUES[attribute])
        operators = [*operators, "like"]
    if attribute in OPTIONAL and draw(st.booleans()):
        return Comparison(Field(attribute), draw(st.sampled_from(["=", "!="])), (None,))
    operator = draw(st.sampled_from(operators))
    if operator == "like":
        values = _PATTERNS
    most = 4 if operator == "in" else 1
    operands = draw(st.lists(values, min_size=1, max_size=most))
    return Comparison(Field(attribute, key), operator, tuple(operands))


def _param_operands() -> st.SearchStrategy[tuple[list[str], st.SearchStrategy[Any]]]:
    """Draw operators and the values they apply to: texts, numbers, or a mixture."""
    return st.sampled_from(
        [
            (["=", "!=", "in", "like"], st.sampled_from(_JSON_VALUES)),
            ([*_ORDERED, "in"], st.sampled_from(NUMBERS)),
            ([*_ORDERED, "in"], st.floats(allow_nan=False)),
            (["in", "!="], st.sampled_from([*_JSON_VALUES, *NUMBERS])),
        ]
    )


CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    _comparisons(),
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda operands: And(tuple(operands))),
        st.lists(inner, min_size=2, max_size=2).map(lambda operands: Or(tuple(operands))),
        inner.map(Not),
    ),
    max_leaves=6,
)

SOURCES = st.integers(0, 1 << 32).map(random.Random)
"""Sources of randomness for `write`."""

FRAGMENTS = st.sampled_from(
    [
        *("number", "state", "alias", "created_at", "size", "metrics.", "params.", "tags.a", "a"),
        *("and", "or", "not", "in", "like", "true", "null", "=", "<=", "<>", "(", ")", ",", "."),
        *("'", '"', "''", "'x'", "'2026-11-24'", "5", "-1e9", "1e999", " ", "\n", "\\", "%", "\0"),
        *("\ud800", "é", ";", "--", "/*", ":x", "?", "%s", "%(a)s", "$1", "::text", "{", "[1]"),
    ]
)
ANY_TEXT = st.text() | st.lists(FRAGMENTS, max_size=12).map("".join)
CHANGES = st.lists(
    st.tuples(st.floats(0, 1), st.integers(0, 4), FRAGMENTS | st.just("")), min_size=1, max_size=3
)
"""Pieces of a text to replace: start (a fraction of the length), length, replacement."""


def with_times(condition: Condition, times: Sequence[datetime]) -> Condition:
    """Replace every `Moment` in a condition by a time."""
    match condition:
        case Comparison(field, operator, values):
            return Comparison(field, operator, tuple(_time(value, times) for value in values))
        case Not(operand):
            return Not(with_times(operand, times))
        case And(operands):
            return And(tuple(with_times(operand, times) for operand in operands))
        case Or(operands):
            return Or(tuple(with_times(operand, times) for operand in operands))


def _time(value: Any, times: Sequence[datetime]) -> Any:
    if isinstance(value, Moment):
        return times[value.index] + timedelta(microseconds=value.microseconds)
    return value


def change(text: str, changes: Sequence[tuple[float, int, str]]) -> str:
    """Replace pieces of a text."""
    for place, length, replacement in changes:
        start = round(place * len(text))
        text = text[:start] + replacement + text[start + length :]
    return text


def write(condition: Condition, source: random.Random) -> str:
    """Write a condition as text, with random spacing, case, parentheses and synonyms."""
    text = ""
    for token in _tokens(condition, source):
        needs_space = re.search(r"[\w.-]$", text) and re.match(r"[\w.+-]", token) and token != "."
        spaces = [" ", "  ", "\n", "\t "] if needs_space else [" ", "", "", "\n"]
        text += source.choice(spaces) + token
    return text


def _tokens(condition: Condition, source: random.Random) -> list[str]:
    if source.random() < 0.1:
        return ["(", *_tokens(condition, source), ")"]
    match condition:
        case And(operands):
            return _joined("and", operands, source)
        case Or(operands):
            return _joined("or", operands, source)
        case Not(Comparison(_, "in" | "like", _) as operand) if source.random() < 0.7:
            return _comparison_tokens(operand, source, negated=True)
        case Not(operand):
            inside = _tokens(operand, source)
            if isinstance(operand, And | Or):
                inside = ["(", *inside, ")"]
            return [_any_case("not", source), *inside]
        case Comparison():
            return _comparison_tokens(condition, source, negated=False)


def _joined(word: str, operands: Sequence[Condition], source: random.Random) -> list[str]:
    tokens: list[str] = []
    for operand in operands:
        inside = _tokens(operand, source)
        if (word == "and" and isinstance(operand, Or)) or source.random() < 0.2:
            inside = ["(", *inside, ")"]
        tokens += [_any_case(word, source), *inside]
    return tokens[1:]


def _comparison_tokens(
    comparison: Comparison, source: random.Random, *, negated: bool
) -> list[str]:
    operator = comparison.operator
    written = [_written_value(value, source) for value in comparison.values]
    if operator == "in":
        inside = [token for value in written for token in (",", value)][1:]
        written = ["(", *inside, ")"]
    if operator in {"in", "like"}:
        operator = _any_case(operator, source)
    elif operator in {"=", "!="}:
        operator = source.choice({"=": ["=", "=="], "!=": ["!=", "<>"]}[operator])
    negation = [_any_case("not", source)] if negated else []
    return [*_field_tokens(comparison.field, source), *negation, operator, *written]


def _field_tokens(field: Field, source: random.Random) -> list[str]:
    if field.key is None:
        return [field.attribute]
    is_plain = re.fullmatch(r"[A-Za-z_][\w-]*(\.[\w-]+)*", field.key, re.ASCII)
    if is_plain and source.random() < 0.5:
        return [f"{field.attribute}.{field.key}"]
    quoted = '"' + field.key.replace('"', '""') + '"'
    return source.choice([[f"{field.attribute}.{quoted}"], [field.attribute, ".", quoted]])


def _written_value(value: Any, source: random.Random) -> str:
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, bool) or value is None:
        return _any_case({True: "true", False: "false", None: "null"}[value], source)
    if isinstance(value, datetime):
        if source.random() < 0.5:
            value = value.astimezone(timezone(timedelta(hours=source.randint(-12, 12))))
        else:
            value = value.replace(tzinfo=None)
        return f"'{value.isoformat(sep=source.choice(' T'))}'"
    if math.isinf(value):
        return "1e999" if value > 0 else "-1e999"
    text = repr(value)
    return text if text.startswith("-") else source.choice([text, f"+{text}"])


def _any_case(word: str, source: random.Random) -> str:
    return "".join(source.choice([c.lower(), c.upper()]) for c in word)
