"""Filters on both databases, against their meaning in plain Python."""

import random
import re
from typing import NamedTuple

import pytest
from examples import examples
from hypothesis import example, given, settings
from hypothesis import strategies as st
from registry_filters import (
    ANY_TEXT,
    CHANGES,
    CONDITIONS,
    DIGESTS,
    FRAGMENTS,
    INJECTIONS,
    NAMES,
    NUMBERS,
    SOURCES,
    TEXTS,
    change,
    with_times,
    write,
)

from registry import Check, FilterError, ModelVersion, Registry, RunRecord
from registry.documents import canonical_json
from registry.filters.grammar import (
    ATTRIBUTES,
    MAPPINGS,
    OPTIONAL,
    And,
    Comparison,
    Field,
    Not,
    Or,
    is_number,
)
from registry.filters.sql import to_sql

PARAMS = [*TEXTS, *NUMBERS, True, False, None, [], [1, 2], 10**400, 1.0, {"a": ["é", None]}]

# Parameters of version 1 of the model `alone`.
ALONE = {"nothing": None, "text": "32", "number": 32, "truth": True, "accent": "café", "list": [1]}


def _details(source, values):
    return {name: source.choice(values) for name in source.sample(NAMES, source.randint(0, 6))}


def _fill(registry):
    """Register the same 61 versions in any registry."""
    registry.register("alone", b"", RunRecord(params=ALONE))
    source = random.Random(7)
    for number in range(60):
        name = source.choice(["mnist", "letters"])
        earlier = registry.versions(name, limit=1)
        figure = source.choice([0.1, 0.9])
        version = registry.register(
            name,
            b"w" * source.randint(0, 40),
            RunRecord(
                metrics=_details(source, NUMBERS),
                params=_details(source, PARAMS),
                tags=_details(source, TEXTS),
                environment=_details(source, TEXTS),
                inputs=_details(source, DIGESTS),
                gate=source.choice([(), (Check("accuracy", figure, 0.5, passed=figure > 0.5),)]),
                parent=earlier[0].reference if earlier and source.random() < 0.3 else None,
                code_version=source.choice([None, "1.0", "it's"]),
                run_id=source.choice([None, f"run-{number}", "run"]),
            ),
        )
        if source.random() < 0.3:
            registry.set_alias(name, source.choice(["live", "live-2", "old"]), version.number)
        elif source.random() < 0.3:
            registry.archive(version.reference)


class Filled(NamedTuple):
    """A registry and all its versions, newest first."""

    registry: Registry
    versions: list[ModelVersion]

    def __repr__(self):
        return repr(self.registry)

    @property
    def times(self):
        return [version.created_at for version in self.versions]

    def search(self, **query):
        """Return the versions, and the error if there is one."""
        try:
            return self.registry.versions(**query), None
        except FilterError as error:
            return [], error


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(request, tmp_path_factory):
    """A registry with versions of every kind, on each database."""
    directory = tmp_path_factory.mktemp("filters")
    url = f"sqlite:///{directory}/registry.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql").new_schema()
    with Registry(url, str(directory / "blobs"), actor="ann") as registry:
        _fill(registry)
        yield Filled(registry, registry.versions())


# The meaning of a condition, in plain Python.


def _matches_pattern(text, pattern):
    pieces = re.findall(r"\\.|[^\\]", pattern, re.DOTALL)
    meaning = {"%": ".*", "_": "."}
    expression = "".join(meaning.get(piece) or re.escape(piece[-1]) for piece in pieces)
    return re.fullmatch(expression, text, re.DOTALL) is not None


COMPARE = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "like": _matches_pattern,
}


def _as_float(value):
    if not is_number(value):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _param_compares(value, operator, operand):
    if operator == "like":
        return isinstance(value, str) and _matches_pattern(value, operand)
    if is_number(operand):
        number = _as_float(value)
        if number is None:
            return operator == "!="
        return COMPARE[operator](number, float(operand))
    if operator == "!=":
        return not _param_compares(value, "=", operand)
    is_equal = canonical_json(value) == canonical_json(operand)
    # A number is also found as a text.
    if isinstance(operand, str) and re.fullmatch(r"-?\d+(\.\d+)?([eE][-+]?\d+)?", operand):
        return is_equal or _as_float(value) == float(operand)
    return is_equal


def _values_of(version, field):
    """Return the values of a field: one, none, or several aliases."""
    if field.key is not None:
        mapping = getattr(version, field.attribute)
        return [mapping[field.key]] if field.key in mapping else []
    if field.attribute == "alias":
        return version.aliases
    if field.attribute == "gate":
        passed = version.gate_passed
        return [] if passed is None else ["passed" if passed else "failed"]
    value = getattr(version, field.attribute)
    return [] if value is None else [value]


def _holds(version, condition):
    match condition:
        case And(operands):
            return all(_holds(version, operand) for operand in operands)
        case Or(operands):
            return any(_holds(version, operand) for operand in operands)
        case Not(operand):
            return not _holds(version, operand)
        case Comparison(Field(attribute, None) as field, operator, (None,)) if (
            attribute in OPTIONAL
        ):
            return (operator == "=") is (not _values_of(version, field))
        case Comparison(Field("alias"), "!=", (operand,)):
            return operand not in version.aliases
        case Comparison(field, operator, operands):
            is_param = field.attribute in {"params", "metrics"}
            compares = _param_compares if is_param else lambda a, op, b: COMPARE[op](a, b)
            single = "=" if operator == "in" else operator
            return any(
                compares(value, single, operand)
                for value in _values_of(version, field)
                for operand in operands
            )
    raise AssertionError(condition)


@given(condition=CONDITIONS, source=SOURCES)
@settings(max_examples=examples(80))
def test_a_filter_finds_the_versions_for_which_it_is_true(filled, condition, source):
    """With every kind of field and value, on both databases."""
    condition = with_times(condition, filled.times)
    where = write(condition, source)
    expected = [version for version in filled.versions if _holds(version, condition)]
    assert filled.registry.versions(where=where) == expected, where


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        # A comparison with a value that the version does not have is false …
        ("tags.never = 'x'", False),
        ("tags.never != 'x'", False),
        ("metrics.never < 1e999", False),
        ("tags.never in ('x')", False),
        ("tags.never like '%'", False),
        ("run_id != 'x'", False),
        ("gate != 'x'", False),
        ("parent != 'x'", False),
        ("params.never = null", False),
        # … so its negation is true.
        ("not tags.never = 'x'", True),
        ("not tags.never != 'x'", True),
        ("tags.never not in ('x')", True),
        ("tags.never not like '%'", True),
        ("not run_id = 'x'", True),
        ("not gate = 'passed'", True),
        ("alias not in ('x')", True),
        # Aliases are a set: `!=` means that it is none of them.
        ("alias != 'x'", True),
        # Null finds what a version lacks.
        ("alias = null and parent = null and run_id = null", True),
        ("gate = null and code_version = null", True),
        ("alias != null or created_by = null", False),
        # A parameter with the value null exists.
        ("params.nothing = null", True),
        ("params.nothing != 5", True),
        # A parameter that is not a number differs from every number, and has no order.
        ("params.text != 5", True),
        ("params.text = 5", False),
        ("params.text < 5 or params.text >= 5", False),
        # 32 is found as '32', but not the other way round; 32 and 32.0 are equal; true is not a
        # number.
        ("params.text = '32'", True),
        ("params.number = '32' and params.number in ('x', '32.0', '3.2e1')", True),
        ("params.number != '32' or params.number = 'x'", False),
        ("params.number != '33' and params.text != '33'", True),
        ("params.truth = '1' or params.nothing = '0'", False),
        ("params.number = 32.0 and params.number in ('a', 3.2e1)", True),
        ("params.truth = true and params.truth != 1", True),
        # In a pattern `_` matches one character, whatever its encoding.
        ("params.accent like 'caf_'", True),
        ("params.accent like '%u00e9%'", False),
        ("params.number like '3%'", False),
        ("params.list like '%1%'", False),
        # Times are in UTC unless they have an offset.
        ("created_at > '2020-01-01' and created_at > '2020-01-01T00:00+23:59'", True),
        ("created_at < '0001-01-01 00:00'", False),
        ("created_at > '0001-01-01T00:00+23:59'", True),
    ],
)
def test_examples_of_the_meaning(filled, where, expected):
    assert (len(filled.registry.versions("alone", where=where)) == 1) is expected


def test_every_field_of_the_grammar_has_an_expression():
    for attribute in (*ATTRIBUTES, *MAPPINGS):
        field_type = ATTRIBUTES.get(attribute) or MAPPINGS[attribute]
        value = 1 if field_type in {"number", "time"} else "1"
        field = Field(attribute, "key" if attribute in MAPPINGS else None)
        assert to_sql(Comparison(field, "=", (value,))) is not None


@pytest.mark.parametrize(
    "order_by",
    [
        *("number", "number ASC", " number\tDesc ", "created_at desc", "metrics.accuracy"),
        *("metrics.recall.7 desc", 'metrics."a b"', 'metrics . "q""uote" desc', "metrics.and desc"),
    ],
)
def test_versions_are_sorted_by_any_valid_order(filled, order_by):
    assert filled.registry.versions(order_by=order_by)


LEAF = "params.a not in (1, 'x')"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("(", ")"),
        ("not ", ""),
        ("not (", ")"),
        (f"{LEAF} and (", ")"),
        (f"{LEAF} and not (", f" or {LEAF})"),
        (f"{LEAF} and (size = 1 or (", "))"),
    ],
)
def test_the_deepest_condition_that_is_allowed_runs(filled, before, after):
    """Deeper ones are refused, instead of overflowing the database's stack."""
    without_leaf = before.replace(LEAF, "")
    repeats = 19 // (without_leaf.count("(") + without_leaf.count("not "))
    where = before * repeats + LEAF + after * repeats
    filled.registry.versions(where=where, order_by="metrics.accuracy")
    with pytest.raises(FilterError, match="at most 20 levels"):
        filled.registry.versions(where=before * 20 + LEAF + after * 20)


def test_the_largest_number_of_comparisons_that_is_allowed_runs(filled):
    for comparison in ("size>=0", "params.a=''", "alias<>''", "tags.a like''", "not gate=''"):
        for joined in (" or ", " and "):
            filled.registry.versions(where=joined.join([comparison] * 50), order_by="number")
            with pytest.raises(FilterError, match="at most 50 comparisons"):
                filled.registry.versions(where=joined.join([comparison] * 51))
    where = f"number in ({','.join(['7'] * 4900)})"
    expected = [version for version in filled.versions if version.number == 7]
    assert filled.registry.versions(where=where) == expected


def test_the_longest_text_that_is_allowed_is_compared(filled):
    for field in ("params.a", "tags.a", "run_id"):
        for operator in ("=", "!=", "like"):
            filled.registry.versions(where=f"{field} {operator} '{'😀' * 9900}'")
    filled.registry.versions(where=f"tags.\"{'é' * 9900}\" = ''")
    filled.registry.versions(where=f"number < {'9' * 9900} and metrics.a > -1e{'9' * 20}")


def _runs_or_is_refused(filled, where):
    found, error = filled.search(where=where)
    assert error is None or 0 <= error.position <= len(where)
    assert [version for version in filled.versions if version in found] == found


@given(where=ANY_TEXT)
@example(where="params.a = 1e999")
@settings(max_examples=examples(60))
def test_any_text_runs_or_is_a_filter_error(filled, where):
    _runs_or_is_refused(filled, where)


@given(condition=CONDITIONS, source=SOURCES, changes=CHANGES)
@settings(max_examples=examples(60))
def test_any_changed_condition_runs_or_is_a_filter_error(filled, condition, source, changes):
    where = change(write(with_times(condition, filled.times), source), changes)
    _runs_or_is_refused(filled, where)


@given(order_by=st.lists(FRAGMENTS | st.just("desc"), max_size=5).map("".join))
@settings(max_examples=examples(30))
def test_any_order_runs_or_is_a_filter_error(filled, order_by):
    _, error = filled.search(order_by=order_by, limit=3)
    assert error is None or 0 <= error.position <= len(order_by)


@pytest.mark.parametrize("text", INJECTIONS)
def test_statements_in_values_and_names_are_not_run(filled, text):
    """They are compared like any text, and change nothing."""
    registry, versions = filled
    value, name = text.replace("'", "''"), text.replace('"', '""')
    for field in ("tags", "params", "environment", "inputs", "metrics"):
        operand = "5" if field == "metrics" else f"'{value}'"
        assert registry.versions(where=f'{field}."{name}" = {operand}') == []
        assert registry.versions(where=f'not {field}."{name}" = {operand}') == versions
    for field in ("name", "state", "run_id", "parent", "alias", "created_by", "sha256"):
        assert registry.versions(where=f"{field} = '{value}'") == []
        assert registry.versions(where=f"{field} in ('{value}', 'x')") == []
    assert registry.versions(order_by=f'metrics."{name}"') == []
    # With quotes that are not doubled they are refused, or find nothing.
    for where in (f"name = '{text}'", f"tags.\"{text}\" = ''", text):
        assert filled.search(where=where)[0] == []
    assert registry.versions() == versions


def test_registered_statements_are_found_as_texts(registry):
    for text in INJECTIONS:
        record = RunRecord(tags={text: text}, params={text: text}, metrics={text: 1.0})
        registry.register("m", b"", record)
    for number, text in enumerate(INJECTIONS, 1):
        value, name = text.replace("'", "''"), text.replace('"', '""')
        pattern = re.sub(r"([\\%_])", r"\\\1", value)
        for where in (
            f"tags.\"{name}\" = '{value}'",
            f"params.\"{name}\" in ('{value}')",
            f"tags.\"{name}\" like '{pattern}'",
            f"params.\"{name}\" like '{pattern}'",
            f'metrics."{name}" = 1',
        ):
            assert [v.number for v in registry.versions(where=where)] == [number]
        assert [v.number for v in registry.versions(order_by=f'metrics."{name}" desc')] == [number]
