"""The grammar of ``where`` and ``order_by``: from text to a syntax tree.

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

A name that is not a plain word is written in double quotes. A quote inside a text is doubled. A
comparison with a value that a version does not have is false, so its negation is true.

A version has any number of aliases: ``alias != 'champion'`` means that none of them is champion.
``= null`` finds versions without an alias, gate, parent, run_id, code_version, description or
created_by. A parameter that is a number is also found as a text: ``params.epochs = '10'``.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, NamedTuple

from registry.errors import FilterError

# Larger filters would overflow the stack of SQLite's parser or slow down PostgreSQL's planner.
_MAX_LENGTH = 10_000
_MAX_DEPTH = 20
_MAX_COMPARISONS = 50

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

# A backslash makes the next character literal, so a pattern cannot end with a single one.
_PATTERN = re.compile(r"(?:\\.|[^\\])*", re.DOTALL)
_SYNONYMS = {"==": "=", "<>": "!="}
_ORDERINGS = frozenset(("<", "<=", ">", ">="))
# Characters that no database can store in a text.
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")
_KEYWORDS = frozenset(("and", "or", "not", "in", "like", "true", "false", "null"))
_MAX_INTEGER = 1 << 62

Type = Literal["number", "text", "time", "json"]

ATTRIBUTES: dict[str, Type] = {
    "name": "text",
    "number": "number",
    "state": "text",
    "sha256": "text",
    "size": "number",
    "created_at": "time",
    "created_by": "text",
    "code_version": "text",
    "run_id": "text",
    "gate": "text",
    "parent": "text",
    "alias": "text",
    "description": "text",
}
"""The attributes of a version that a filter can name, with their types."""

MAPPINGS: dict[str, Type] = {
    "metrics": "number",
    "params": "json",
    "tags": "text",
    "environment": "text",
    "inputs": "text",
}
"""The mappings of a version that a filter can look into, with the types of their values."""

OPTIONAL = frozenset(
    ("alias", "code_version", "created_by", "description", "gate", "parent", "run_id")
)
"""The attributes that a version may lack; they can be compared with null."""

_EXPECTED_FIELDS = f"{', '.join(ATTRIBUTES)}, or {', '.join(f'{name}.NAME' for name in MAPPINGS)}"

Value = str | int | float | bool | datetime | None


@dataclass(frozen=True, slots=True)
class Field:
    """An attribute of a version, or an item of one of its mappings."""

    attribute: str
    """A key of `ATTRIBUTES` or `MAPPINGS`."""
    key: str | None = None
    """Key in the mapping; None for an attribute."""

    @property
    def type(self) -> Type:
        """The type of its values."""
        return MAPPINGS[self.attribute] if self.key is not None else ATTRIBUTES[self.attribute]


@dataclass(frozen=True, slots=True)
class Comparison:
    """True if the field compares so with any of the values."""

    field: Field
    operator: str
    """``=``, ``!=``, ``<``, ``<=``, ``>``, ``>=``, ``in`` or ``like``."""
    values: tuple[Value, ...]
    """One value, except for ``in``."""


@dataclass(frozen=True, slots=True)
class Not:
    """The negation of a condition."""

    operand: "Condition"


@dataclass(frozen=True, slots=True)
class And:
    """True if all operands are."""

    operands: tuple["Condition", ...]


@dataclass(frozen=True, slots=True)
class Or:
    """True if any operand is."""

    operands: tuple["Condition", ...]


Condition = Comparison | Not | And | Or


@dataclass(frozen=True, slots=True)
class Order:
    """A field to sort versions by."""

    field: Field
    descending: bool


def parse_condition(text: str) -> Condition:
    """Parse the text of ``where``.

    Raises
    ------
    FilterError
        If it does not follow the grammar.
    """
    parser = _Parser("where", text)
    condition = parser.condition(0)
    parser.expect_end("`and`, `or` or the end")
    return condition


def parse_order(text: str) -> Order:
    """Parse the text of ``order_by``: a field, then optionally ``asc`` or ``desc``.

    Raises
    ------
    FilterError
        If it does not follow the grammar, or names a field that has no order.
    """
    parser = _Parser("order_by", text)
    token = parser.next_token
    field = parser.field()
    if field.attribute not in {"number", "created_at", "metrics"}:
        raise parser.error("number, created_at or metrics.NAME", token)
    descending = parser.take_word("desc")
    if not descending:
        parser.take_word("asc")
    parser.expect_end("`asc`, `desc` or the end")
    return Order(field, descending)


class _Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int

    def is_word(self, word: str) -> bool:
        """Tell whether it is this keyword, in upper or lower case."""
        return self.kind == "word" and self.text.lower() == word

    def is_mark(self, mark: str) -> bool:
        """Tell whether it is this punctuation mark."""
        return self.kind == "mark" and self.text == mark


class _Parser:
    """A recursive-descent parser of one text."""

    def __init__(self, argument: str, text: object) -> None:
        if not isinstance(text, str) or len(text) > _MAX_LENGTH:
            shown = str(text)[:40]
            expected = f"at most {_MAX_LENGTH} characters of text"
            raise FilterError(argument, expected, shown, 0, len(shown))
        unstorable = _UNSTORABLE.search(text)
        if unstorable is not None:
            start, end = unstorable.span()
            raise FilterError(argument, "characters of text", text, start, end)
        self._argument = argument
        self._text = text
        self._tokens = self._tokenize()
        self._position = 0
        self._comparisons = 0

    @property
    def next_token(self) -> _Token:
        """The next token, which is not consumed."""
        return self._tokens[self._position]

    def condition(self, depth: int) -> Condition:
        """Parse terms joined by ``or``."""
        terms = [self._term(depth)]
        while self.take_word("or"):
            terms.append(self._term(depth))
        return Or(tuple(terms)) if len(terms) > 1 else terms[0]

    def field(self) -> Field:
        """Parse a field."""
        token = self.next_token
        if token.kind != "word" or token.text.lower() in _KEYWORDS:
            raise self.error("a field", token)
        self._position += 1
        # Only the first dot separates: the key may have dots too, as in `metrics.recall.7`.
        attribute, _, key = token.text.partition(".")
        if attribute in MAPPINGS:
            return Field(attribute, key or self._key(attribute))
        if token.text not in ATTRIBUTES:
            raise self.error(_EXPECTED_FIELDS, token)
        return Field(token.text)

    def take_word(self, word: str) -> bool:
        """Consume a keyword if it is next."""
        is_next = self.next_token.is_word(word)
        self._position += is_next
        return is_next

    def expect_end(self, expected: str) -> None:
        """Fail if any token is left."""
        if self.next_token.kind != "end":
            raise self.error(expected, self.next_token)

    def error(self, expected: str, token: _Token) -> FilterError:
        """Return the error for an unexpected token."""
        return FilterError(self._argument, expected, self._text, token.start, token.end)

    def _tokenize(self) -> list[_Token]:
        tokens = []
        position = 0
        while position < len(self._text):
            match = _TOKEN.match(self._text, position)
            if match is None:
                quote = self._text[position]
                expected = f"a closing {quote}" if quote in "'\"" else "a field, value or operator"
                end = len(self._text) if quote in "'\"" else position + 1
                raise FilterError(self._argument, expected, self._text, position, end)
            if match.lastgroup != "space":
                tokens.append(_Token(str(match.lastgroup), match[0], position, match.end()))
            position = match.end()
        return [*tokens, _Token("end", "", position, position)]

    def _term(self, depth: int) -> Condition:
        factors = [self._factor(depth)]
        while self.take_word("and"):
            factors.append(self._factor(depth))
        return And(tuple(factors)) if len(factors) > 1 else factors[0]

    def _factor(self, depth: int) -> Condition:
        if depth == _MAX_DEPTH:
            raise self.error(
                f"at most {_MAX_DEPTH} levels of `not` and parentheses", self.next_token
            )
        if self.take_word("not"):
            return Not(self._factor(depth + 1))
        if self.next_token.is_mark("("):
            self._position += 1
            condition = self.condition(depth + 1)
            self._take_mark(")", "`and`, `or` or `)`")
            return condition
        return self._comparison()

    def _comparison(self) -> Condition:
        if self._comparisons == _MAX_COMPARISONS:
            raise self.error(f"at most {_MAX_COMPARISONS} comparisons", self.next_token)
        self._comparisons += 1
        field_token = self.next_token
        field = self.field()
        token = self.next_token
        if token.kind == "operator":
            self._position += 1
            operator = _SYNONYMS.get(token.text, token.text)
            if field.attribute in OPTIONAL and self._take_null(operator):
                return Comparison(field, operator, (None,))
            return Comparison(field, operator, (self._value(field, operator),))
        negated = self.take_word("not")
        if self.take_word("in"):
            comparison = Comparison(field, "in", self._values(field))
        elif self.take_word("like"):
            comparison = Comparison(field, "like", (self._pattern(field, field_token),))
        else:
            raise self.error("a comparison, `in` or `like`", self.next_token)
        return Not(comparison) if negated else comparison

    def _take_null(self, operator: str) -> bool:
        return operator in {"=", "!="} and self.take_word("null")

    def _pattern(self, field: Field, field_token: _Token) -> Value:
        token = self.next_token
        if token.kind != "text":
            raise self.error("a 'pattern' with % or _", token)
        if field.type not in {"text", "json"}:
            raise self.error("a field of text before `like`", field_token)
        pattern = self._value(field, "like")
        if not _PATTERN.fullmatch(str(pattern)):
            raise self.error("a pattern that does not end with a single backslash", token)
        return pattern

    def _values(self, field: Field) -> tuple[Value, ...]:
        self._take_mark("(", "`(` and values")
        values = [self._value(field, "in")]
        while self.next_token.is_mark(","):
            self._position += 1
            values.append(self._value(field, "in"))
        self._take_mark(")", "`,` or `)`")
        return tuple(values)

    def _value(self, field: Field, operator: str) -> Value:
        token = self.next_token
        value = self._literal(token, field.type)
        if operator in _ORDERINGS and field.type == "json" and not is_number(value):
            raise self.error("a number", token)
        self._position += 1
        return value

    def _literal(self, token: _Token, type_: Type) -> Value:
        """Return the value of a token, if a field of this type can be compared with it."""
        if token.kind == "number" and type_ in {"number", "json"}:
            return _to_number(token.text)
        if token.kind == "text":
            text = token.text[1:-1].replace("''", "'")
            if type_ in {"text", "json"}:
                return text
            if type_ == "time":
                return self._time(text, token)
        if type_ == "json":
            for word, value in (("true", True), ("false", False), ("null", None)):
                if token.is_word(word):
                    return value
        expected = {
            "number": "a number",
            "text": "a text in single quotes",
            "time": "a time in single quotes, '2026-11-24' or '2026-11-24 18:00'",
            "json": "a number, a text in single quotes, true, false or null",
        }
        raise self.error(expected[type_], token)

    def _time(self, text: str, token: _Token) -> datetime:
        try:
            moment = datetime.fromisoformat(text)
        except (ValueError, OverflowError):
            expected = "a time as in '2026-11-24' or '2026-11-24 18:00', in UTC"
            raise self.error(expected, token) from None
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)

    def _key(self, attribute: str) -> str:
        """Parse the key of a mapping that does not follow its name in the same word."""
        self._take_mark(".", f"`.` and a name, as in {attribute}.NAME")
        token = self.next_token
        if token.kind not in {"word", "quoted"}:
            raise self.error('a name, in "double quotes" unless it is a plain word', token)
        self._position += 1
        return token.text if token.kind == "word" else token.text[1:-1].replace('""', '"')

    def _take_mark(self, mark: str, expected: str) -> None:
        if not self.next_token.is_mark(mark):
            raise self.error(expected, self.next_token)
        self._position += 1


def is_number(value: Value) -> bool:
    """Tell whether a value is a number; true and false are not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _to_number(text: str) -> int | float:
    try:
        integer = int(text)
    except ValueError:
        return float(text)
    # An integer too large for the databases is compared as a float.
    return integer if abs(integer) < _MAX_INTEGER else float(text)
