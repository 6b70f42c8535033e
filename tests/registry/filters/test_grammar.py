"""The grammar of filters: text to syntax tree, without a database."""

import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
from examples import examples
from hypothesis import given, settings
from registry_filters import (
    ANY_TEXT,
    CHANGES,
    CONDITIONS,
    FRAGMENTS,
    INJECTIONS,
    SOURCES,
    change,
    with_times,
    write,
)

from registry import FilterError, InvalidArgumentError
from registry.filters.grammar import (
    And,
    Comparison,
    Condition,
    Field,
    Not,
    Or,
    Order,
    parse_condition,
    parse_order,
)

TIMES = [datetime(2026, 11, 24, 18, 0, 0, 7, UTC) + timedelta(days=day) for day in range(61)]


def _flat(condition: Condition) -> Condition:
    """Merge nested `And` and nested `Or`, which the text need not tell apart."""
    match condition:
        case Not(operand):
            return Not(_flat(operand))
        case And(operands) | Or(operands):
            kind = type(condition)
            merged = []
            for operand in map(_flat, operands):
                merged += operand.operands if isinstance(operand, kind) else [operand]
            return kind(tuple(merged))
        case Comparison(field, operator, values):
            # A number that is too large for the databases becomes a float; True is not 1.
            return Comparison(field, operator, tuple(map(_exact, values)))


def _exact(value):
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 1 << 62:
        value = float(value)
    return isinstance(value, bool), value


@given(condition=CONDITIONS, source=SOURCES)
@settings(max_examples=examples(200))
def test_a_condition_is_parsed_however_it_is_written(condition, source):
    condition = with_times(condition, TIMES)
    text = write(condition, source)
    assert _flat(parse_condition(text)) == _flat(condition), text


def _equals(field, value):
    return Comparison(Field(field), "=", (value,))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # `and` binds more tightly than `or`, `not` more tightly than both.
        (
            "number = 1 or number = 2 and number = 3",
            Or((_equals("number", 1), And((_equals("number", 2), _equals("number", 3))))),
        ),
        (
            "(number = 1 or number = 2) and number = 3",
            And((Or((_equals("number", 1), _equals("number", 2))), _equals("number", 3))),
        ),
        (
            "not number = 1 and number = 2",
            And((Not(_equals("number", 1)), _equals("number", 2))),
        ),
        ("not not number = 1", Not(Not(_equals("number", 1)))),
        ("name not in ('a', 'b')", Not(Comparison(Field("name"), "in", ("a", "b")))),
        ("metrics.recall.7 > .5", Comparison(Field("metrics", "recall.7"), ">", (0.5,))),
        ('tags."a ""b""" like \'x%\'', Comparison(Field("tags", 'a "b"'), "like", ("x%",))),
        ("params.a = true", Comparison(Field("params", "a"), "=", (True,))),
        # A time is in UTC unless it has an offset.
        ("created_at = '2026-11-24'", _equals("created_at", datetime(2026, 11, 24, tzinfo=UTC))),
        (
            "created_at = '2026-11-24T18:00+02:00'",
            _equals("created_at", datetime(2026, 11, 24, 16, tzinfo=UTC)),
        ),
    ],
)
def test_examples_of_syntax_trees(text, expected):
    assert parse_condition(text) == expected


@pytest.mark.parametrize(
    ("where", "got", "expected"),
    [
        ("", "", "a field"),
        ("   ", "", "a field"),
        ("and", "and", "a field"),
        ("5 = number", "5", "a field"),
        ("colour = 'red'", "colour", "name, number, state"),
        ("Number = 1", "Number", "name, number, state"),
        ("number.x = 1", "number.x", "name, number, state"),
        ("tags = 'x'", "=", "`.` and a name, as in tags.NAME"),
        ("tags.  = 'x'", "=", '"double quotes"'),
        ("tags.'a' = 'x'", "'a'", '"double quotes"'),
        ("number", "", "a comparison, `in` or `like`"),
        ("number is null", "is", "a comparison, `in` or `like`"),
        ("number not = 1", "=", "a comparison, `in` or `like`"),
        ("number = ", "", "a number"),
        ("number = 'one'", "'one'", "a number"),
        ("number = true", "true", "a number"),
        ("number = 12x", "1", "a field, value or operator"),
        ("number = 1 number = 2", "number", "`and`, `or` or the end"),
        ("number = 1)", ")", "`and`, `or` or the end"),
        ("(number = 1", "", "`and`, `or` or `)`"),
        ("number in 1", "1", "`(` and values"),
        ("number in ()", ")", "a number"),
        ("number in (1", "", "`,` or `)`"),
        ("number in (1,)", ")", "a number"),
        ("number like '1%'", "number", "a field of text"),
        ("metrics.a like 'x'", "metrics.a", "a field of text"),
        ("state like 5", "5", "a 'pattern'"),
        ("state like 'a\\'", "'a\\'", "a single backslash"),
        ("state = 'ready", "'ready", "a closing '"),
        ('tags."a = 5', '"a = 5', 'a closing "'),
        ("state = ready", "ready", "a text in single quotes"),
        ("state = null", "null", "a text in single quotes"),
        ("created_at > 2026", "2026", "a time in single quotes"),
        ("created_at > 'soon'", "'soon'", "a time as in"),
        ("params.a < 'x'", "'x'", "a number"),
        ("params.a >= true", "true", "a number"),
        ("params.a = other", "other", "a number, a text in single quotes, true"),
        ("number = 1; drop table versions", ";", "a field, value or operator"),
        ("number = 1 - 1", "-", "a field, value or operator"),
        ("number == = 1", "=", "a number"),
        ("name = 'a\0b'", "\0", "characters of text"),
        ('tags."\0" = 1', "\0", "characters of text"),
        ("name = '\ud800'", "\ud800", "characters of text"),
        ("número = 1", "ú", "a field, value or operator"),
        ("number =\xa01", "\xa0", "a field, value or operator"),
        ("number\n=\n'x'", "'x'", "a number"),
        ("name = 'x' or " * 15 + "oops", "oops", "name, number, state"),
    ],
)
def test_a_syntax_error_has_its_position_and_a_caret(where, got, expected):
    with pytest.raises(FilterError) as caught:
        parse_condition(where)
    error = caught.value
    assert (error.name, error.got) == ("where", got)
    assert expected in error.expected
    # In these examples the error is at the last occurrence.
    assert error.position == (where.rfind(got) if got else len(where))
    first, line, caret = str(error).split("\n")
    assert first.startswith("where: expected ")
    under = line[caret.index("^") :]
    assert under.startswith("".join(c if c.isprintable() else " " for c in got[:50]))
    assert caret.count("^") == max(1, min(len(got), 60))
    assert isinstance(error, InvalidArgumentError)


@pytest.mark.parametrize(
    ("order_by", "position"),
    [
        *(("", 0), ("state", 0), ("params.a", 0), ("tags.a desc", 0), ("desc", 0)),
        *(("metrics desc", 8), ("number asc desc", 11), ("number, created_at", 6), ("number;", 6)),
        *(("number descending", 7), ("alias", 0), ("number --", 7), ("metrics.a\0", 9)),
    ],
)
def test_a_syntax_error_in_an_order_has_its_position(order_by, position):
    with pytest.raises(FilterError) as caught:
        parse_order(order_by)
    assert (caught.value.name, caught.value.position) == ("order_by", position)


@pytest.mark.parametrize(
    ("order_by", "field", "descending"),
    [
        ("number", Field("number"), False),
        ("number ASC", Field("number"), False),
        (" number\tDesc ", Field("number"), True),
        ("created_at desc", Field("created_at"), True),
        ("metrics.accuracy", Field("metrics", "accuracy"), False),
        ("metrics.recall.7 desc", Field("metrics", "recall.7"), True),
        ('metrics."a b"', Field("metrics", "a b"), False),
        ('metrics . "q""uote" desc', Field("metrics", 'q"uote'), True),
        ("metrics.and desc", Field("metrics", "and"), True),
    ],
)
def test_examples_of_orders(order_by, field, descending):
    assert parse_order(order_by) == Order(field, descending)


@pytest.mark.parametrize("value", [5, b"number = 1", ["number = 1"], "number = 1 or " * 1000])
@pytest.mark.parametrize("parse", [parse_condition, parse_order])
def test_a_filter_is_a_text_of_limited_length(parse, value):
    with pytest.raises(FilterError, match="at most 10000 characters of text") as caught:
        parse(value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize("opening", ["(", "not ", "not not ", "not ("])
def test_depth_is_limited(opening):
    """Deeper conditions would overflow the stack of Python or of a database."""
    closing = ")" * opening.count("(")
    levels = opening.count("(") + opening.count("not ")
    for repeats in range(1, 30):
        text = opening * repeats + "number = 1" + closing * repeats
        if repeats * levels < 20:
            parse_condition(text)
        else:
            with pytest.raises(FilterError, match="at most 20 levels"):
                parse_condition(text)


def test_the_number_of_comparisons_is_limited():
    assert len(parse_condition(" or ".join(["number = 1"] * 50)).operands) == 50
    with pytest.raises(FilterError, match="at most 50 comparisons"):
        parse_condition(" or ".join(["number = 1"] * 51))


def _parses_or_is_refused(parse, text):
    error = _error_of(parse, text)
    if error is not None:
        assert 0 <= error.position <= len(text)
        assert len(str(error).split("\n")) == 3


def _error_of(parse, text):
    try:
        parse(text)
    except FilterError as error:
        return error
    return None


@given(text=ANY_TEXT)
@settings(max_examples=examples(300))
def test_any_text_parses_or_is_a_filter_error(text):
    _parses_or_is_refused(parse_condition, text)


@given(condition=CONDITIONS, source=SOURCES, changes=CHANGES)
@settings(max_examples=examples(150))
def test_any_changed_condition_parses_or_is_a_filter_error(condition, source, changes):
    text = change(write(with_times(condition, TIMES), source), changes)
    _parses_or_is_refused(parse_condition, text)


@given(text=ANY_TEXT | FRAGMENTS.map(lambda fragment: f"number {fragment} desc"))
@settings(max_examples=examples(100))
def test_any_order_parses_or_is_a_filter_error(text):
    _parses_or_is_refused(parse_order, text)


@pytest.mark.parametrize("text", INJECTIONS)
def test_statements_in_values_and_names_stay_values_and_names(text):
    value, name = text.replace("'", "''"), text.replace('"', '""')
    parsed = parse_condition(f"tags.\"{name}\" = '{value}'")
    assert parsed == Comparison(Field("tags", text), "=", (text,))
    assert parse_order(f'metrics."{name}"') == Order(Field("metrics", text), descending=False)


def test_the_grammar_does_not_import_sqlalchemy():
    """It needs no database; `registry` itself imports SQLAlchemy, so its modules are stubbed."""
    code = """
import importlib.util, sys, types
from pathlib import Path
root = Path(sys.argv[1])
for name in ("registry", "registry.filters"):
    package = types.ModuleType(name)
    package.__path__ = [str(root / name.replace(".", "/"))]
    sys.modules[name] = package
import registry.filters.grammar
print([name for name in sys.modules if name.startswith("sqlalchemy")])
"""
    import registry

    root = re.sub(r"/registry/__init__\.py$", "", str(registry.__file__))
    command = [sys.executable, "-c", code, root]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    assert finished.stdout.strip() == "[]"
