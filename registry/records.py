"""What the registry hands out, and how versions are referred to."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Self

from registry.errors import InvalidArgumentError

Param = str | int | float | bool | None | list[int]
"""A value of a parameter: what JSON can hold and a version remembers."""

READY = "ready"
ARCHIVED = "archived"
CHAMPION = "champion"

# The highest number a reference can name, and the last time, in microseconds, there is a datetime
# for.
HIGHEST = 999_999_999
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a gate: a figure held against its threshold."""

    name: str
    figure: float
    threshold: float
    passed: bool

    def __str__(self) -> str:
        relation = "≥" if self.figure >= self.threshold else "<"
        return f"{self.name} {self.figure:.4f} {relation} {self.threshold:.4f}"


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One version of a registered model. It does not change; its state and its aliases may."""

    name: str
    """Of the registered model."""
    number: int
    """Counted from 1, never used twice."""
    state: str
    """``ready``, or ``archived``: kept, and out of use."""
    sha256: str
    """Of the weights."""
    size: int
    """Of the weights, in bytes."""
    metrics: Mapping[str, float]
    """Figures by name; an accuracy is a fraction in [0, 1]."""
    params: Mapping[str, Param]
    """How it was trained."""
    tags: Mapping[str, str]
    inputs: Mapping[str, str]
    """SHA-256 of what it was trained and tested on, by role."""
    environment: Mapping[str, str]
    """What it was trained with: releases of libraries, the machine, by name."""
    gate: tuple[Check, ...]
    """The checks it was held against before it was registered."""
    aliases: tuple[str, ...]
    """The aliases that pointed at it when this record was read, sorted."""
    parent: str | None
    """The reference of the version it comes from."""
    code_version: str | None
    """Of the code that trained it."""
    run_id: str | None
    """The run that made it."""
    created_at: datetime
    """In UTC."""
    created_by: str | None

    def __reduce__(self) -> tuple[Any, ...]:
        # A mapping that cannot be changed cannot be sent to another process either.
        values = (getattr(self, field.name) for field in fields(self))
        plain = (dict(v) if isinstance(v, MappingProxyType) else v for v in values)
        return _unpickled, tuple(plain)

    @property
    def reference(self) -> str:
        """The reference that always means this version."""
        return f"{self.name}/{self.number}"

    @property
    def gate_passed(self) -> bool | None:
        """Whether every check of its gate passed; None where no gate was recorded."""
        return all(check.passed for check in self.gate) if self.gate else None


def _unpickled(*values: Any) -> ModelVersion:
    frozen: list[Any] = [MappingProxyType(v) if isinstance(v, dict) else v for v in values]
    return ModelVersion(*frozen)


@dataclass(frozen=True, slots=True)
class Alias:
    """Where an alias points."""

    name: str
    """Of the registered model."""
    alias: str
    number: int
    """Of the version."""
    generation: int
    """Another after every move. Hand it to `Registry.set_alias` to move from here only."""
    moved_at: datetime
    """In UTC."""
    moved_by: str | None

    @property
    def reference(self) -> str:
        """The reference of the version it points at."""
        return f"{self.name}/{self.number}"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to a model. Events are only ever added."""

    name: str
    """Of the registered model."""
    seq: int
    """Counted from 1, for each model."""
    at: datetime
    """In UTC; never before the event that precedes it."""
    actor: str | None
    """Who did it."""
    kind: str
    """``registered``, ``imported``, ``migrated``, ``alias_moved``, ``alias_rolled_back``,
    ``alias_removed``, ``archived``, ``restored``, or ``refused``: a candidate that its gate did
    not let become a version."""
    alias: str | None
    number: int | None
    """Of the version."""
    details: Mapping[str, Any]
    """Of a registration ``version``, of a refusal ``candidate``: all that was recorded of it;
    of an alias ``from``, where it was before, and ``reason``, if one was given."""
    hash: str
    """SHA-256 of all this and of the hash of the event before it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """A value by name that two versions have not in common; None where one has none."""

    name: str
    first: Any
    second: Any

    @property
    def change(self) -> float | None:
        """The second less the first, where both are numbers."""
        if all(isinstance(v, int | float) and not isinstance(v, bool) for v in self.values):
            return float(self.second - self.first)
        return None

    @property
    def values(self) -> tuple[Any, Any]:
        """Both."""
        return self.first, self.second


@dataclass(frozen=True, slots=True)
class Comparison:
    """How two versions differ. What they have in common is left out."""

    first: ModelVersion
    second: ModelVersion
    same_weights: bool
    metrics: tuple[Difference, ...]
    params: tuple[Difference, ...]
    tags: tuple[Difference, ...]
    inputs: tuple[Difference, ...]
    environment: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that `verify` found."""

    severity: str
    """``error``: something registered is wrong or lost; ``warning``: it is not, as yet."""
    subject: str
    """A reference, a model, a digest, or ``database``."""
    text: str

    def __str__(self) -> str:
        return f"{self.severity}: {self.subject}: {self.text}"


@dataclass(frozen=True, slots=True)
class Collected:
    """What `gc` removed, or would remove."""

    blobs: int
    temporary_files: int
    size: int
    """In bytes."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did."""

    added: tuple[str, ...]
    """References of versions that were not there before."""
    present: tuple[str, ...]
    """References of versions that were there already, the same."""


def now() -> int:
    """Return the time as the database holds it."""
    return time.time_ns() // 1000


def moment(microseconds: int) -> datetime:
    """Return a time of the database as one in UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)


def microseconds(moment: datetime) -> int:
    """Return a time as the database holds it.

    Raises
    ------
    InvalidArgumentError
        Where it has no time zone.
    """
    if moment.tzinfo is None:
        raise InvalidArgumentError("moment", "a time with a time zone", str(moment))
    return (moment - _EPOCH) // timedelta(microseconds=1)


_MODEL = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_ALIAS = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_REFERENCE = re.compile(rf"({_MODEL.pattern})(?:@({_ALIAS.pattern})|/([1-9][0-9]{{0,8}}))")


@dataclass(frozen=True, slots=True)
class Reference:
    """A version by number, or by an alias."""

    name: str
    alias: str | None
    number: int | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``name@alias`` or ``name/number``."""
        match = _REFERENCE.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            raise InvalidArgumentError("reference", "name@alias or name/number", text)
        name, alias, number = match.groups()
        return cls(name, alias, int(number) if number else None)

    def __str__(self) -> str:
        return f"{self.name}@{self.alias}" if self.alias else f"{self.name}/{self.number}"


def model_name(name: str) -> str:
    """Return a valid name of a model."""
    if not isinstance(name, str) or not _MODEL.fullmatch(name):
        expected = "lower-case letters, digits, '.', '_' and '-', at most 64, a letter first"
        raise InvalidArgumentError("model name", expected, name)
    return name


def alias_name(alias: str) -> str:
    """Return a valid name of an alias."""
    if not isinstance(alias, str) or not _ALIAS.fullmatch(alias):
        expected = "lower-case letters, digits, '_' and '-', at most 63, a letter first"
        raise InvalidArgumentError("alias", expected, alias)
    return alias
