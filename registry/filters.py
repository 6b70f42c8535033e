"""The language of `where` and `order_by`: read by hand, and compiled to bound parameters.

::

    condition  = term {"or" term}
    term       = factor {"and" factor}
    factor     = "not" factor | "(" condition ")" | comparison
    comparison = field ("=" | "!=" | "<" | "<=" | ">" | ">=") value
               | field ["not"] "in" "(" value {"," value} ")"
               | field ["not"] "like" text
    field      = "name" | "number" | "state" | "created_at" | …
               | ("metrics" | "params" | "tags" | "inputs" | "environment") "." name
    value      = number | 'text' | true | false | null

A name that is not a plain word is put in double quotes, and a quote in a text is doubled. A
comparison with something that a version does not have is false, and so its negation true.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from registry import schema
from registry.details import canonical
from registry.errors import FilterError
from registry.records import microseconds

# More would be too much for the stack of SQLite's parser, or for the planner of PostgreSQL.
_LONGEST = 10_000
_DEEPEST = 20
_MOST = 50

_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
    | (?P<number>[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?![\w.]))
    | (?P<text>'(?:[^']|'')*')
    | (?P<quoted>"(?:[^"]|"")*")
    | (?P<word>[A-Za-z_][\w-]*(?:\.[\w-]+)*)
    | (?P<operator><=|>=|!=|<>|==|=|<|>)
    | (?P<mark>[().,])
    """,
    re.VERBOSE | re.ASCII,
)

_COMPARISONS: dict[str, Callable[[Any, Any], sa.ColumnElement[bool]]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
# `\\` takes from the character after it what it means in a pattern.
_PATTERN = re.compile(r"(?:\\.|[^\\])*", re.DOTALL)
_SYNONYMS = {"==": "=", "<>": "!="}
# What no text of a database holds.
_ALIEN = re.compile("[\0\ud800-\udfff]")
_KEYWORDS = frozenset(("and", "or", "not", "in", "like", "true", "false", "null"))
_BIGGEST = 1 << 62


class Token(NamedTuple):
    """A piece of the text."""

    kind: str
    text: str
    start: int
    end: int

    def is_word(self, word: str) -> bool:
        """Tell whether it is this keyword, in either case."""
        return self.kind == "word" and self.text.lower() == word


class _Column(NamedTuple):
    """A field that is a column of `versions`, or stands for one."""

    expression: sa.ColumnElement[Any]
    kind: str
    """``number``, ``text`` or ``time``."""


_versions = schema.versions.c
_COLUMNS = {
    "name": _Column(schema.models.c.name, "text"),
    "number": _Column(_versions.number, "number"),
    "state": _Column(_versions.state, "text"),
    "sha256": _Column(_versions.blob_sha256, "text"),
    "size": _Column(
        sa.select(schema.blobs.c.size)
        .where(schema.blobs.c.sha256 == _versions.blob_sha256)
        .scalar_subquery(),
        "number",
    ),
    "created_at": _Column(_versions.created_at, "time"),
    "created_by": _Column(_versions.created_by, "text"),
    "code_version": _Column(_versions.code_version, "text"),
    "run_id": _Column(_versions.run_id, "text"),
    "gate": _Column(_versions.gate, "text"),
    "parent": _Column(_versions.parent, "text"),
}

_TABLES = {
    "metrics": schema.version_metrics,
    "params": schema.version_params,
    "tags": schema.version_tags,
    "environment": schema.version_environment,
    "inputs": schema.version_inputs,
}

_FIELDS = f"{', '.join(_COLUMNS)}, alias, or {', '.join(f'{table}.NAME' for table in _TABLES)}"


class Field(NamedTuple):
    """What a comparison or an order is about."""

    part: str
    """The name of a column, ``alias``, or of a kind of details."""
    name: str | None
    """Of the detail."""
    token: Token


@dataclass(frozen=True, slots=True)
class Order:
    """What versions are sorted by."""

    part: str
    name: str | None
    descending: bool


def condition(text: str) -> sa.ColumnElement[bool]:
    """Return what `where` asks of versions, for a query on `versions` joined with `models`.

    Raises
    ------
    FilterError
    """
    parser = _Parser("where", text)
    found = parser.condition(0)
    parser.expect_end("`and`, `or` or the end")
    return found


def order(text: str) -> Order:
    """Return what `order_by` says: a field, then ``asc`` or ``desc`` or nothing.

    Raises
    ------
    FilterError
    """
    parser = _Parser("order_by", text)
    field = parser.field()
    if field.part not in {"number", "created_at", "metrics"}:
        parser.refuse("number, created_at or metrics.NAME", field.token)
    descending = parser.take_word("desc")
    if not descending:
        parser.take_word("asc")
    parser.expect_end("`asc`, `desc` or the end")
    return Order(field.part, field.name, descending)


class _Parser:
    """Reads one text, a token at a time."""

    def __init__(self, argument: str, text: object) -> None:
        if not isinstance(text, str) or len(text) > _LONGEST:
            shown = str(text)[:40]
            expected = f"at most {_LONGEST} characters of text"
            raise FilterError(argument, expected, shown, 0, len(shown))
        alien = _ALIEN.search(text)
        if alien is not None:
            raise FilterError(argument, "characters of text", text, alien.start(), alien.end())
        self._argument = argument
        self._text = text
        self._tokens = list(self._read())
        self._next = 0
        self._comparisons = 0

    def condition(self, depth: int) -> sa.ColumnElement[bool]:
        """Read terms joined by `or`."""
        terms = [self._term(depth)]
        while self.take_word("or"):
            terms.append(self._term(depth))
        return sa.or_(*terms) if len(terms) > 1 else terms[0]

    def field(self) -> Field:
        """Read the name of a field."""
        token = self._peek
        if token.kind != "word" or token.text.lower() in _KEYWORDS:
            self.refuse("a field", token)
        self._next += 1
        # The name may have dots itself, as of metrics by digit: `metrics.recall.7`.
        part, _, name = token.text.partition(".")
        if part in _TABLES:
            return Field(part, name or self._name(part), token)
        if token.text not in _COLUMNS and token.text != "alias":
            self.refuse(_FIELDS, token)
        return Field(token.text, None, token)

    def take_word(self, word: str) -> bool:
        """Go past a keyword, if it is next."""
        found = self._peek.is_word(word)
        self._next += found
        return found

    def expect_end(self, expected: str) -> None:
        """Refuse whatever is left."""
        if self._peek.kind != "end":
            self.refuse(expected, self._peek)

    def refuse(self, expected: str, token: Token) -> None:
        """Raise the error for a token that does not fit."""
        raise FilterError(self._argument, expected, self._text, token.start, token.end)

    def _read(self) -> list[Token]:
        found = []
        place = 0
        while place < len(self._text):
            match = _TOKEN.match(self._text, place)
            if match is None:
                quote = self._text[place]
                expected = f"a closing {quote}" if quote in "'\"" else "a field, value or operator"
                end = len(self._text) if quote in "'\"" else place + 1
                raise FilterError(self._argument, expected, self._text, place, end)
            if match.lastgroup != "space":
                found.append(Token(str(match.lastgroup), match[0], place, match.end()))
            place = match.end()
        return [*found, Token("end", "", place, place)]

    @property
    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _term(self, depth: int) -> sa.ColumnElement[bool]:
        factors = [self._factor(depth)]
        while self.take_word("and"):
            factors.append(self._factor(depth))
        return sa.and_(*factors) if len(factors) > 1 else factors[0]

    def _factor(self, depth: int) -> sa.ColumnElement[bool]:
        if depth == _DEEPEST:
            self.refuse(f"at most {_DEEPEST} levels of `not` and parentheses", self._peek)
        if self.take_word("not"):
            return sa.not_(self._factor(depth + 1))
        if self._peek.text == "(" and self._peek.kind == "mark":
            self._next += 1
            found = self.condition(depth + 1)
            self._take_mark(")", "`and`, `or` or `)`")
            return found
        return self._comparison()

    def _comparison(self) -> sa.ColumnElement[bool]:
        if self._comparisons == _MOST:
            self.refuse(f"at most {_MOST} comparisons", self._peek)
        self._comparisons += 1
        field = self.field()
        token = self._peek
        if token.kind == "operator":
            self._next += 1
            operator = _SYNONYMS.get(token.text, token.text)
            values = [self._value(field, operator)]
            return _matches(field, operator, values)
        negated = self.take_word("not")
        if self.take_word("in"):
            found = _matches(field, "in", self._values(field))
        elif self._peek.is_word("like"):
            self._next += 1
            value = self._peek
            if value.kind != "text":
                self.refuse("a 'pattern' with % or _", value)
            if _kind(field) not in {"text", "json"}:
                self.refuse("a field of text before `like`", field.token)
            pattern = self._value(field, "like")
            if not _PATTERN.fullmatch(pattern):
                self.refuse("a pattern that ends with no lone backslash", value)
            found = _matches(field, "like", [pattern])
        else:
            self.refuse("a comparison, `in` or `like`", self._peek)
        return sa.not_(found) if negated else found

    def _values(self, field: Field) -> list[Any]:
        self._take_mark("(", "`(` and values")
        values = [self._value(field, "in")]
        while self._peek.text == "," and self._peek.kind == "mark":
            self._next += 1
            values.append(self._value(field, "in"))
        self._take_mark(")", "`,` or `)`")
        return values

    def _value(self, field: Field, operator: str) -> Any:
        token = self._peek
        kind = _kind(field)
        found = self._literal(token, kind)
        if operator in {"<", "<=", ">", ">="} and not _is_ordered(field, found):
            self.refuse("a number", token)
        self._next += 1
        return found

    def _literal(self, token: Token, kind: str) -> Any:
        """Return the value of a token, as a field of this kind is compared with."""
        if token.kind == "number" and kind in {"number", "json"}:
            return _number(token.text)
        if token.kind == "text":
            text = token.text[1:-1].replace("''", "'")
            if kind in {"text", "json"}:
                return text
            if kind == "time":
                return self._time(text, token)
        if kind == "json":
            for word, value in (("true", True), ("false", False), ("null", None)):
                if token.is_word(word):
                    return value
        expected = {
            "number": "a number",
            "text": "a text in single quotes",
            "time": "a time in single quotes, '2026-11-24' or '2026-11-24 18:00'",
            "json": "a number, a text in single quotes, true, false or null",
        }[kind]
        self.refuse(expected, token)
        return None

    def _time(self, text: str, token: Token) -> int:
        try:
            moment = datetime.fromisoformat(text)
            return microseconds(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
        except (ValueError, OverflowError):
            self.refuse("a time as in '2026-11-24' or '2026-11-24 18:00', in UTC", token)
            return 0

    def _name(self, part: str) -> str:
        """Read the name of a detail, where it is not in one word with its kind."""
        self._take_mark(".", f"`.` and a name, as in {part}.NAME")
        token = self._peek
        if token.kind not in {"word", "quoted"}:
            self.refuse('a name, in "double quotes" where it is not a plain word', token)
        self._next += 1
        return token.text if token.kind == "word" else token.text[1:-1].replace('""', '"')

    def _take_mark(self, mark: str, expected: str) -> None:
        if self._peek.text != mark or self._peek.kind != "mark":
            self.refuse(expected, self._peek)
        self._next += 1


def _kind(field: Field) -> str:
    if field.part in _COLUMNS:
        return _COLUMNS[field.part].kind
    return {"metrics": "number", "params": "json"}.get(field.part, "text")


def _is_ordered(field: Field, value: Any) -> bool:
    """Tell whether a field can be less or more than a value."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number if field.part == "params" else True


def _number(text: str) -> int | float:
    try:
        whole = int(text)
    except ValueError:
        return float(text)
    # What no integer of a database holds is compared as a real number.
    return whole if abs(whole) < _BIGGEST else float(text)


def _matches(field: Field, operator: str, values: list[Any]) -> sa.ColumnElement[bool]:
    """Return what holds of a version where one of the values compares so with its field."""
    if field.part in _COLUMNS:
        # A comparison with NULL is neither true nor false, and its negation would not be true.
        expression = _COLUMNS[field.part].expression
        found = _compare(expression, operator, values)
        return sa.and_(expression.is_not(None), found)
    if field.part == "alias":
        aliases = schema.aliases.c
        return _exists(
            aliases.model_id == _versions.model_id,
            aliases.number == _versions.number,
            _compare(aliases.alias, operator, values),
        )
    table = _TABLES[field.part]
    return _exists(
        table.c.version_id == _versions.id,
        table.columns[1] == field.name,
        _compare_detail(field, table, operator, values),
    )


def _exists(*conditions: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    # Of the tables around it, only the versions are meant: an order may have joined metrics.
    return sa.exists().where(*conditions).correlate(schema.versions)


def _compare_detail(
    field: Field, table: sa.Table, operator: str, values: list[Any]
) -> sa.ColumnElement[bool]:
    value = table.columns[2]
    if field.part == "metrics":
        return _compare(value, operator, [float(v) for v in values])
    if field.part == "params":
        if operator == "like":
            # A text as JSON begins with a quote.
            return sa.and_(value.like('"%'), _compare(_Decoded(value), operator, values))
        numbers = [v for v in values if _is_ordered(field, v)]
        others = [canonical(v) for v in values if not _is_ordered(field, v)]
        found = []
        if numbers:
            number = table.c.number
            compared = _compare(number, operator, [float(v) for v in numbers])
            # What is no number is different from every one.
            found.append(sa.or_(number.is_(None), compared) if operator == "!=" else compared)
        if others:
            found.append(_compare_text(value, operator, others))
        return sa.or_(*found)
    if field.part == "inputs":
        return _compare(value, operator, values)
    return _compare_text(value, operator, values)


class _Decoded(sa.sql.functions.FunctionElement[str]):
    """The text that a text in JSON stands for."""

    type = sa.String()
    inherit_cache = True


@compiles(_Decoded)
def _decoded(element: _Decoded, compiler: Any, **options: Any) -> str:
    return f"json_extract({compiler.process(element.clauses, **options)}, '$')"


@compiles(_Decoded, "postgresql")
def _decoded_by_postgresql(element: _Decoded, compiler: Any, **options: Any) -> str:
    return f"(({compiler.process(element.clauses, **options)})::jsonb #>> '{{}}')"


def _compare_text(
    value: sa.ColumnElement[str], operator: str, values: list[str]
) -> sa.ColumnElement[bool]:
    """Compare a text of which only the beginning is in the index."""
    found = _compare(value, operator, values)
    if operator not in {"=", "in"}:
        return found
    first = sa.func.substr(value, 1, schema.INDEXED)
    return sa.and_(_compare(first, operator, [v[: schema.INDEXED] for v in values]), found)


def _compare(
    expression: sa.ColumnElement[Any], operator: str, values: list[Any]
) -> sa.ColumnElement[bool]:
    if operator == "in":
        return expression.in_([_bound(v) for v in values])
    if operator == "like":
        return expression.like(values[0], escape="\\")
    return _COMPARISONS[operator](expression, _bound(values[0]))


def _bound(value: Any) -> sa.BindParameter[Any]:
    """Return a parameter of the type of the value, not of the column it is compared with."""
    if isinstance(value, float):
        return sa.literal(value, sa.Double())
    return sa.literal(value, sa.BigInteger() if isinstance(value, int) else sa.String())
