"""What the registry hands out, and how versions are referred to."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Self

from registry.errors import InvalidArgumentError

Param = str | int | float | bool | None | list[int]
"""A value of a parameter: what JSON can hold and a version remembers."""


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One version of a registered model. It does not change; aliases and tags around it may."""

    name: str
    """Of the registered model."""
    number: int
    """Counted from 1, never used twice."""
    state: str
    """``ready``: its weights are complete."""
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
    aliases: tuple[str, ...]
    """The aliases that pointed at it when this record was read, sorted."""
    run_id: str | None
    """The run that made it."""
    created_at: datetime
    """In UTC."""

    @property
    def reference(self) -> str:
        """The reference that always means this version."""
        return f"{self.name}/{self.number}"


_MODEL = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_ALIAS = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_REFERENCE = re.compile(rf"({_MODEL.pattern})(?:@({_ALIAS.pattern})|/([1-9][0-9]{{0,17}}))")


@dataclass(frozen=True, slots=True)
class Reference:
    """A version by number, or by an alias."""

    name: str
    alias: str | None
    number: int | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``name@alias`` or ``name/number``."""
        match = _REFERENCE.fullmatch(text)
        if match is None:
            raise InvalidArgumentError("reference", "name@alias or name/number", text)
        name, alias, number = match.groups()
        return cls(name, alias, int(number) if number else None)


def model_name(name: str) -> str:
    """Return a valid name of a model."""
    if not _MODEL.fullmatch(name):
        expected = "lower-case letters, digits, '.', '_' and '-', at most 64, a letter first"
        raise InvalidArgumentError("model name", expected, name)
    return name


def alias_name(alias: str) -> str:
    """Return a valid name of an alias."""
    if not _ALIAS.fullmatch(alias):
        expected = "lower-case letters, digits, '_' and '-', at most 63, a letter first"
        raise InvalidArgumentError("alias", expected, alias)
    return alias
