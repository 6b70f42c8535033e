"""The language of `where`, against what its docstring says, in plain Python."""

import math
import random
import re
from datetime import timedelta, timezone
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from registry import Check, FilterError, InvalidArgumentError, ModelVersion, Registry, RunRecord
from registry.documents import canonical_json

# What texts are made of: quotes, patterns, escapes, more and less than ASCII, and texts that
# have as much in common as an index holds.
LONG = "x" * 250
TEXTS = [
    *("", "ocr", "OCR", "it's", 'say "hi"', "50%", "a_b", "axb", "a\\b", "a\\%b", "café", "cafe"),
    *("日本", "😀", "line\nbreak", "tab\there", "'; DROP TABLE versions; --", "null", "true", "5"),
    *("5.0", '"quoted"', "[1,2]", "\\u00e9", "é", LONG, LONG + "1", LONG + "2"),
]
NAMES = ["accuracy", "recall.7", "a b", 'q"uote', "é", "and", "x-y", "'", "%", "7"]
NUMBERS = [0, 1, -1, 0.5, 0.1, 1e-9, -2.5, 3, 1e300, 2**53, 2**53 + 1, 10**18, 10**30]
PARAMS = [*TEXTS, *NUMBERS, True, False, None, [], [1, 2], 10**400, 1.0, {"a": ["é", None]}]
DIGESTS = ["ab" * 32, "cd" * 32, "0" * 64]
STATES = ["ready", "archived"]
PARTS = ["metrics", "params", "tags", "environment", "inputs"]


# A version of a model of its own, whose number is 1.
ALONE = {"nothing": None, "text": "32", "number": 32, "truth": True, "accent": "café", "list": [1]}


def _details(source, values):
    return {name: source.choice(values) for name in source.sample(NAMES, source.randint(0, 6))}


def _fill(registry):
    """Add the same versions, of two models, to any registry."""
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
    """A registry and all of its versions, newest first."""

    registry: Registry
    versions: list[ModelVersion]

    def __repr__(self):
        return repr(self.registry)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def filled(request, tmp_path_factory):
    """A registry with versions of every kind."""
    place = tmp_path_factory.mktemp("filters")
    url = f"sqlite:///{place}/registry.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql").new_database()
    with Registry(url, str(place / "blobs"), actor="ann") as registry:
        _fill(registry)
        yield Filled(registry, registry.versions())


# The model: a condition is a tree of tuples.


def _matches_pattern(text, pattern):
    pieces = re.findall(r"\\.|[^\\]", pattern, re.DOTALL)
    meaning = {"%": ".*", "_": "."}
    expression = "".join(meaning.get(piece) or re.escape(piece[-1]) for piece in pieces)
    return re.fullmatch(expression, text, re.DOTALL) is not None


COMPARE = {
    "=": lambda a, b: a == b,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "like": _matches_pattern,
}


def _number(value):
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value)
    except OverflowError:
        return None


def _param_compares(value, operator, other):
    if operator == "like":
        return isinstance(value, str) and _matches_pattern(value, other)
    if _number(other) is not None:
        number = _number(value)
        if number is None:
            return operator in {"!=", "<>"}
        return COMPARE[operator](number, float(other))
    return COMPARE[operator](canonical_json(value), canonical_json(other))


def _compares(value, operator, other):
    return COMPARE[operator](value, other)


def _values_of(version, part, name):
    """Return what a field is in a version: one value, none, or several aliases."""
    if part in PARTS:
        details = getattr(version, part)
        return [details[name]] if name in details else []
    if part == "alias":
        return version.aliases
    if part == "gate":
        passed = version.gate_passed
        return [] if passed is None else ["passed" if passed else "failed"]
    value = getattr(version, part)
    return [] if value is None else [value]


def _holds(version, tree):
    match tree:
        case ("and", *parts):
            return all(_holds(version, part) for part in parts)
        case ("or", *parts):
            return any(_holds(version, part) for part in parts)
        case ("not", part):
            return not _holds(version, part)
        case ("compare", part, name, operator, others, negated):
            compare = _param_compares if part in {"params", "metrics"} else _compares
            one = "=" if operator == "in" else operator
            found = any(
                compare(value, one, other)
                for value in _values_of(version, part, name)
                for other in others
            )
            return found != negated
    raise AssertionError(tree)


# Drawing conditions.

PATTERN_PIECES = ["%", "_", "\\%", "\\_", "\\\\", "\\a", "a", "b", "é", "'", '"', "5", "u", "\n"]
PATTERNS = st.one_of(
    st.lists(st.sampled_from(PATTERN_PIECES), max_size=4).map("".join),
    st.sampled_from(TEXTS).map(lambda text: text.replace("\\", "\\\\")[:20] + "%"),
    st.sampled_from(TEXTS).map(lambda text: "%" + text.replace("\\", "\\\\")[1:]),
    st.sampled_from(TEXTS).map(lambda text: re.sub("[^ -~]|[e%]", "_", text.replace("\\", "_"))),
)
WORDS = {
    "name": ["mnist", "letters", "Mnist", "alone"],
    "state": STATES,
    "created_by": ["ann", ""],
    "code_version": ["1.0", "it's", "1"],
    "run_id": ["run", "run-7", "RUN"],
    "gate": ["passed", "failed"],
    "parent": ["mnist/1", "mnist/2", "letters/3"],
    "alias": ["live", "live-2", "champion"],
    "sha256": ["ab" * 32, "e"],
    "inputs": DIGESTS,
    "tags": TEXTS,
    "environment": TEXTS,
}
ORDERED = ["=", "==", "!=", "<>", "<", "<=", ">", ">="]


class Moment(NamedTuple):
    """The time of a version, or just before or after."""

    index: int
    microseconds: int

    def of(self, versions):
        return versions[self.index].created_at + timedelta(microseconds=self.microseconds)


MOMENTS = st.builds(Moment, st.integers(0, 60), st.integers(-1, 1))


@st.composite
def comparisons(draw):
    part = draw(st.sampled_from([*WORDS, "number", "size", "created_at", "metrics", "params"]))
    name = draw(st.sampled_from([*NAMES, "never"])) if part in PARTS else None
    operators = [*ORDERED, "in"]
    if part in {"number", "size"}:
        values = st.integers(-1, 41) | st.sampled_from([1.5, 3.0, 10**40, 1e999])
    elif part == "metrics":
        values = st.sampled_from(NUMBERS) | st.floats(allow_nan=False)
    elif part == "created_at":
        values = MOMENTS
    elif part == "params":
        is_text = draw(st.booleans())
        others = [v for v in PARAMS if isinstance(v, str | bool) or v is None]
        values = st.sampled_from(others if is_text else NUMBERS)
        operators = ["=", "!=", "in", "like"] if is_text else operators
        if draw(st.booleans()) and not is_text:
            values = st.floats(allow_nan=False)
        if draw(st.booleans()):
            operators = ["in", "!="]
            values = st.sampled_from([*others, *NUMBERS])
    else:
        values = st.sampled_from(WORDS[part])
        operators = [*operators, "like"]
    operator = draw(st.sampled_from(operators))
    if operator == "like":
        values = PATTERNS
    others = draw(st.lists(values, min_size=1, max_size=4 if operator == "in" else 1))
    negated = operator in {"in", "like"} and draw(st.booleans())
    return "compare", part, name, operator, tuple(others), negated


CONDITIONS = st.recursive(
    comparisons(),
    lambda inner: st.one_of(
        st.tuples(st.sampled_from(["and", "or"]), inner, inner),
        st.tuples(st.just("and"), inner, inner, inner),
        st.tuples(st.just("not"), inner),
    ),
    max_leaves=6,
)
SOURCES = st.integers(0, 1 << 32).map(random.Random)


def _resolved(tree, versions):
    """Return a condition with times in place of moments."""
    if isinstance(tree, Moment):
        return tree.of(versions)
    return tuple(_resolved(p, versions) for p in tree) if isinstance(tree, tuple) else tree


# Writing them down, in any of the ways there are.


def _written_value(value, source):
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, bool) or value is None:
        return _any_case({True: "true", False: "false", None: "null"}[value], source)
    if isinstance(value, int | float):
        if math.isinf(value):
            return "1e999" if value > 0 else "-1e999"
        text = repr(value)
        return source.choice([text, f"+{text}"]) if value >= 0 and text[0] != "-" else text
    if source.random() < 0.5:
        value = value.astimezone(timezone(timedelta(hours=source.randint(-12, 12))))
    else:
        value = value.replace(tzinfo=None)
    return f"'{value.isoformat(sep=source.choice(' T'))}'"


def _any_case(word, source):
    return "".join(source.choice([c.lower(), c.upper()]) for c in word)


def _written_field(part, name, source):
    if name is None:
        return [part]
    plain = re.fullmatch(r"[A-Za-z_][\w-]*(\.[\w-]+)*", name, re.ASCII)
    if plain and source.random() < 0.5:
        return [f"{part}.{name}"]
    quoted = '"' + name.replace('"', '""') + '"'
    return source.choice([[f"{part}.{quoted}"], [part, ".", quoted]])


def _tokens(tree, source):
    if source.random() < 0.1:
        return ["(", *_tokens(tree, source), ")"]
    match tree:
        case ("and" | "or" as kind, *parts):
            found = []
            for part in parts:
                inside = _tokens(part, source)
                if (kind == "and" and part[0] == "or") or source.random() < 0.2:
                    inside = ["(", *inside, ")"]
                found += [_any_case(kind, source), *inside]
            return found[1:]
        case ("not", part):
            inside = _tokens(part, source)
            if part[0] in {"and", "or"}:
                inside = ["(", *inside, ")"]
            return [_any_case("not", source), *inside]
    _, part, name, operator, others, negated = tree
    written = [_written_value(other, source) for other in others]
    if operator == "in":
        inside = [token for one in written for token in (",", one)][1:]
        written = ["(", *inside, ")"]
    if operator in {"in", "like"}:
        operator = _any_case(operator, source)
    no = [_any_case("not", source)] if negated else []
    return [*_written_field(part, name, source), *no, operator, *written]


def _written(tree, source):
    text = ""
    for token in _tokens(tree, source):
        apart = re.search(r"[\w.-]$", text) and re.match(r"[\w.+-]", token) and token != "."
        spaces = [" ", "  ", "\n", "\t "] if apart else [" ", "", "", "\n"]
        text += source.choice(spaces) + token
    return text


@given(tree=CONDITIONS, source=SOURCES)
@settings(max_examples=80)
def test_a_condition_finds_the_versions_of_which_it_is_true(filled, tree, source):
    """However it is written, of every kind of field and value, on both databases."""
    registry, versions = filled
    tree = _resolved(tree, versions)
    where = _written(tree, source)
    found = registry.versions(where=where)
    assert found == [version for version in versions if _holds(version, tree)], where


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        # A comparison with something that a version does not have is false …
        ("tags.never = 'x'", False),
        ("tags.never != 'x'", False),
        ("metrics.never < 1e999", False),
        ("tags.never in ('x')", False),
        ("tags.never like '%'", False),
        ("run_id != 'x'", False),
        ("gate != 'x'", False),
        ("parent != 'x'", False),
        ("alias != 'x'", False),
        ("params.never = null", False),
        # … and so its negation true.
        ("not tags.never = 'x'", True),
        ("not tags.never != 'x'", True),
        ("tags.never not in ('x')", True),
        ("tags.never not like '%'", True),
        ("not run_id = 'x'", True),
        ("not gate = 'passed'", True),
        ("alias not in ('x')", True),
        # A parameter that is null is there.
        ("params.nothing = null", True),
        ("params.nothing != 5", True),
        # What is no number is different from every one, and neither less nor more.
        ("params.text != 5", True),
        ("params.text = 5", False),
        ("params.text < 5 or params.text >= 5", False),
        # 32 and '32' are two; 32 and 32.0 are one; true is no number.
        ("params.text = '32'", True),
        ("params.number = '32'", False),
        ("params.number = 32.0 and params.number in ('a', 3.2e1)", True),
        ("params.truth = true and params.truth != 1", True),
        # In a pattern `_` is one character, whatever it takes to write it.
        ("params.accent like 'caf_'", True),
        ("params.accent like '%u00e9%'", False),
        ("params.number like '3%'", False),
        ("params.list like '%1%'", False),
        # Times are in UTC unless they say otherwise.
        ("created_at > '2020-01-01' and created_at > '2020-01-01T00:00+23:59'", True),
        ("created_at < '0001-01-01 00:00'", False),
        # `and` binds more tightly than `or`, `not` more tightly than both.
        ("number = 1 or number = 2 and number = 3", True),
        ("(number = 1 or number = 2) and number = 3", False),
        ("not number = 1 and number = 1", False),
        ("not (number = 1 and number = 2)", True),
    ],
)
def test_what_the_language_says_of_one_version(filled, where, expected):
    found = filled.registry.versions("alone", where=where)
    assert (len(found) == 1) is expected


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
def test_what_cannot_be_read_is_told_with_its_place(filled, where, got, expected):
    """The text has a caret below the first character that does not fit."""
    with pytest.raises(FilterError) as told:
        filled.registry.versions(where=where)
    error = told.value
    assert (error.name, error.got) == ("where", got)
    assert expected in error.expected
    # The last such piece is meant: that is how the examples are written.
    place = where.rfind(got) if got else len(where)
    assert error.position == place
    first, line, caret = str(error).split("\n")
    assert first.startswith("where: expected ")
    under = line[caret.index("^") :]
    assert under.startswith("".join(c if c.isprintable() else " " for c in got[:50]))
    assert caret.count("^") == max(1, min(len(got), 60))
    assert isinstance(error, InvalidArgumentError)


@pytest.mark.parametrize(
    ("order_by", "place"),
    [
        *(("", 0), ("state", 0), ("params.a", 0), ("tags.a desc", 0), ("desc", 0)),
        *(("metrics desc", 8), ("number asc desc", 11), ("number, created_at", 6), ("number;", 6)),
        *(("number descending", 7), ("alias", 0), ("number --", 7), ("metrics.a\0", 9)),
    ],
)
def test_an_order_that_cannot_be_read_is_told_with_its_place(filled, order_by, place):
    with pytest.raises(FilterError) as told:
        filled.registry.versions(order_by=order_by)
    assert (told.value.name, told.value.position) == ("order_by", place)


@pytest.mark.parametrize(
    "order_by",
    [
        *("number", "number ASC", " number\tDesc ", "created_at desc", "metrics.accuracy"),
        *("metrics.recall.7 desc", 'metrics."a b"', 'metrics . "q""uote" desc', "metrics.and desc"),
    ],
)
def test_an_order_that_can(filled, order_by):
    assert filled[0].versions(order_by=order_by)


@pytest.mark.parametrize("value", [5, b"number = 1", ["number = 1"], "number = 1 or " * 1000])
def test_only_a_text_of_some_length_is_read(filled, value):
    for argument in ("where", "order_by"):
        with pytest.raises(FilterError, match="at most 10000 characters of text") as told:
            filled.registry.versions(**{argument: value})
        assert len(str(told.value)) < 400


LEAF = "params.a not in (1, 'x')"


@pytest.mark.parametrize(
    "level",
    [
        ("(", ")"),
        ("not ", ""),
        ("not (", ")"),
        (f"{LEAF} and (", ")"),
        (f"{LEAF} and not (", f" or {LEAF})"),
        (f"{LEAF} and (size = 1 or (", "))"),
    ],
)
def test_as_deep_as_is_allowed_is_read_and_run(filled, level):
    """What is deeper is refused, not left to the database or to Python's stack."""
    registry, _ = filled
    before, after = level
    without = before.replace(LEAF, "")
    each = without.count("(") + without.count("not ")
    most = 19 // each
    for levels in range(1, 25):
        where = before * levels + LEAF + after * levels
        if levels <= most:
            registry.versions(where=where, order_by="metrics.accuracy")
        else:
            with pytest.raises(FilterError, match="at most 20 levels"):
                registry.versions(where=where)


def test_as_many_comparisons_as_are_allowed_are_read_and_run(filled):
    registry, versions = filled
    for joined in (" or ", " and "):
        for comparison in ("size>=0", "params.a=''", "alias<>''", "tags.a like''", "not gate=''"):
            registry.versions(where=joined.join([comparison] * 50), order_by="number")
            with pytest.raises(FilterError, match="at most 50 comparisons"):
                registry.versions(where=joined.join([comparison] * 51))
    assert registry.versions(where=f"number in ({','.join(['7'] * 4900)})") == [
        version for version in versions if version.number == 7
    ]


def test_a_text_as_long_as_is_allowed_is_compared(filled):
    registry, _ = filled
    for field in ("params.a", "tags.a", "run_id"):
        for operator in ("=", "!=", "like"):
            registry.versions(where=f"{field} {operator} '{'😀' * 9900}'")
    registry.versions(where=f"tags.\"{'é' * 9900}\" = ''")
    registry.versions(where=f"number < {'9' * 9900} and metrics.a > -1e{'9' * 20}")


ALPHABET = st.sampled_from(
    [
        *("number", "state", "alias", "created_at", "size", "metrics.", "params.", "tags.a", "a"),
        *("and", "or", "not", "in", "like", "true", "null", "=", "<=", "<>", "(", ")", ",", "."),
        *("'", '"', "''", "'x'", "'2026-11-24'", "5", "-1e9", "1e999", " ", "\n", "\\", "%", "\0"),
        *("\ud800", "é", ";", "--", "/*", ":x", "?", "%s", "%(a)s", "$1", "::text", "{", "[1]"),
    ]
)


def _runs_or_is_refused(filled, where):
    registry, versions = filled
    found, error = _ask(registry, where=where)
    if error is not None:
        assert 0 <= error.position <= len(where)
        assert len(str(error).split("\n")) == 3
    assert [v for v in versions if v in found] == found


def _ask(registry, **question):
    try:
        return registry.versions(**question), None
    except FilterError as error:
        return [], error


@given(where=st.text() | st.lists(ALPHABET, max_size=12).map("".join))
@example(where="params.a = 1e999")
@settings(max_examples=80)
def test_any_text_is_read_or_refused(filled, where):
    """And what is read is run, by both databases."""
    _runs_or_is_refused(filled, where)


CHANGES = st.tuples(st.floats(0, 1), st.integers(0, 4), ALPHABET | st.just(""))


@given(tree=CONDITIONS, source=SOURCES, changes=st.lists(CHANGES, min_size=1, max_size=3))
@settings(max_examples=80)
def test_any_condition_with_something_changed_is_read_or_refused(filled, tree, source, changes):
    where = _written(_resolved(tree, filled.versions), source)
    for place, length, text in changes:
        start = round(place * len(where))
        where = where[:start] + text + where[start + length :]
    _runs_or_is_refused(filled, where)


@given(order_by=st.text() | st.lists(ALPHABET | st.just("desc"), max_size=5).map("".join))
@settings(max_examples=50)
def test_any_order_is_read_or_refused(filled, order_by):
    registry, _ = filled
    _, error = _ask(registry, order_by=order_by, limit=3)
    assert error is None or 0 <= error.position <= len(order_by)


INJECTIONS = [
    *("' OR 1=1 --", "'; DROP TABLE versions; --", '" OR ""="', "') OR ('1'='1", "\\' OR 1=1 --"),
    *("%' --", "x' UNION SELECT * FROM meta --", "${7*7}", ":a", "%(a)s", "?", "/*", "*/", "\\"),
]


@pytest.mark.parametrize("text", INJECTIONS)
def test_statements_in_values_and_names_are_texts(filled, text):
    """They find what they are, where it is there, and change nothing."""
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
    assert registry.versions() == versions
    # As they are, without the quotes doubled, they are refused, or find nothing.
    for where in (f"name = '{text}'", f"tags.\"{text}\" = ''", text):
        assert _ask(registry, where=where)[0] == []
    assert registry.versions() == versions


def test_statements_that_were_registered_are_found_as_texts(registry):
    for text in INJECTIONS:
        registry.register(
            "m", b"", RunRecord(tags={text: text}, params={text: text}, metrics={text: 1.0})
        )
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
