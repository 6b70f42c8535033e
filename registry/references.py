"""Names of models and aliases, and references to versions."""

import re
from dataclasses import dataclass
from typing import Self

from registry.errors import InvalidArgumentError
from registry.records import Alias, ModelVersion

VersionLike = str | int | ModelVersion | Alias
"""What a version is named by: a reference, its number, or its record."""

MAX_NUMBER = 999_999_999
"""The highest version number that a reference can name."""

LATEST = "latest"
"""Means the newest version. Registries of earlier releases may have set an alias of this name,
which goes on to mean what it was set to."""

_MODEL = re.compile(r"[a-z][a-z0-9_.-]{0,63}")
_ALIAS = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_REFERENCE = re.compile(rf"({_MODEL.pattern})(?:@({_ALIAS.pattern})|/([1-9][0-9]{{0,8}}))")


@dataclass(frozen=True, slots=True)
class Reference:
    """A version, named by its number or by an alias."""

    name: str
    """Name of the registered model."""
    alias: str | None
    number: int | None

    @classmethod
    def parse(cls, reference: VersionLike, default: str | None = None) -> Self:
        """Parse ``name@alias`` or ``name/number``, or take the reference of a record.

        Parameters
        ----------
        reference : str, int, ModelVersion or Alias
        default : str, optional
            The model of a reference that names none: ``@alias``, ``number``.

        Raises
        ------
        InvalidArgumentError
        """
        if isinstance(reference, ModelVersion | Alias):
            reference = reference.reference
        text = str(reference) if type(reference) is int else reference
        if default is not None and isinstance(text, str):
            if text.startswith("@"):
                text = f"{default}{text}"
            elif text.isdecimal():
                text = f"{default}/{text}"
        match = _REFERENCE.fullmatch(text) if isinstance(text, str) else None
        if match is None:
            expected = "name@alias or name/number"
            if default is not None:
                expected = "name@alias, name/number, @alias or a number"
            raise InvalidArgumentError("reference", expected, reference)
        name, alias, number = match.groups()
        return cls(name, alias, int(number) if number else None)

    def __str__(self) -> str:
        return f"{self.name}@{self.alias}" if self.alias else f"{self.name}/{self.number}"


def settable_alias(alias: str) -> str:
    """Return an alias that can be set if its name is valid.

    Raises
    ------
    InvalidArgumentError
    """
    if alias == LATEST:
        expected = f"another alias: {LATEST} always means the newest version"
        raise InvalidArgumentError("alias", expected, alias)
    return alias_name(alias)


def model_name(name: object) -> str:
    """Return a model's name if it is valid.

    Raises
    ------
    InvalidArgumentError
    """
    if not isinstance(name, str) or not _MODEL.fullmatch(name):
        expected = "lower-case letters, digits, '.', '_' and '-', at most 64, a letter first"
        raise InvalidArgumentError("model name", expected, name)
    return name


def alias_name(alias: str) -> str:
    """Return an alias if its name is valid.

    Raises
    ------
    InvalidArgumentError
    """
    if not isinstance(alias, str) or not _ALIAS.fullmatch(alias):
        expected = "lower-case letters, digits, '_' and '-', at most 63, a letter first"
        raise InvalidArgumentError("alias", expected, alias)
    return alias
