"""What can go wrong in `pipeline`, as one tree.

::

    PipelineError
    ├── SettingsError       an environment variable has an invalid value
    ├── InvalidParameterError   a parameter of a job is outside its domain
    ├── SourceError         one source of a data file failed
    │   └── UnreachableError   it did not answer at all
    ├── NoSourceLeftError   every source of a data file failed
    ├── DamagedDataError    a data file does not hold what it should
    ├── InputError          there is nothing to score where the user pointed
    ├── OutputError         results cannot go where the user pointed
    ├── BusyError           another process does the same already
    ├── LineageError        a version cannot be trained again from what is recorded of it
    └── ServerError         a Prefect server could not be started or reached

A candidate that the gate refuses is an outcome, not an error: see `pipeline.jobs.retraining`.
"""

from collections.abc import Sequence
from dataclasses import dataclass


class PipelineError(Exception):
    """Any failure that `pipeline` foresees; its text says what, expected, got and what next."""


class SettingsError(PipelineError):
    """A setting cannot be used."""


class InvalidParameterError(PipelineError, ValueError):
    """A parameter of a job is outside its domain.

    Attributes
    ----------
    name, expected : str
    got : object
    """

    def __init__(self, name: str, expected: str, got: object) -> None:
        super().__init__(f"{name}: expected {expected}, got {got!r}.")
        self.name = name
        self.expected = expected
        self.got = got


class SourceError(PipelineError):
    """One source of a data file failed.

    Attributes
    ----------
    reason : str
    transient : bool
        Whether the same request may succeed a little later.
    """

    def __init__(self, reason: str, *, transient: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.transient = transient


class UnreachableError(SourceError):
    """A source did not answer at all: there is no use in asking it for the next file."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, transient=True)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why one source could not deliver."""

    source: str
    reason: str
    transient: bool


class NoSourceLeftError(PipelineError):
    """Every source of a data file failed.

    Attributes
    ----------
    name : str
        Of the file.
    failures : tuple of Failure
        One for each source, in the order they were tried.
    """

    def __init__(self, name: str, failures: Sequence[Failure]) -> None:
        lines = [f"  {failure.source}\n    {failure.reason}" for failure in failures]
        super().__init__(
            "\n".join(
                [
                    f"No source delivers {name}:",
                    *lines,
                    "Check the network, or point DIGITS_MIRRORS at a base URL or a directory that "
                    f"holds {name}.gz or {name}.",
                ]
            )
        )
        self.name = name
        self.failures = tuple(failures)

    @property
    def transient(self) -> bool:
        """Whether trying again later may help."""
        return any(failure.transient for failure in self.failures)


class DamagedDataError(PipelineError):
    """A data file does not hold what it should."""


class InputError(PipelineError):
    """There is nothing to score where the user pointed."""


class OutputError(PipelineError):
    """Results cannot go where the user pointed."""


class BusyError(PipelineError):
    """Another process does the same already, and this one was not to wait."""


class LineageError(PipelineError):
    """A version cannot be trained again from what is recorded of it."""


class ServerError(PipelineError):
    """A Prefect server could not be started or reached."""
