"""The errors of `pipeline`, as a tree.

::

    PipelineError
    ├── SettingsError       an environment variable has an invalid value
    ├── InvalidParameterError   a parameter of a job is outside its domain
    ├── MirrorError         one mirror of a data file failed
    │   └── UnreachableError   it did not answer
    ├── NoMirrorLeftError   every mirror of a data file failed
    ├── DamagedDataError    a data file has unexpected contents
    ├── InputError          an input has nothing to score, or cannot be read
    ├── OutputError         the results cannot be written to the given output
    ├── DiskFullError       a disk or a quota has no space left
    ├── BusyError           another process already runs this job
    ├── LineageError        a version cannot be trained again from its recorded lineage
    ├── ShadowTrialError    a challenger was worse in the shadow, or too little is known of it
    ├── DeliveryError       a message did not reach its receiver
    ├── WorkerError         two worker processes were killed in the same call
    └── ServerError         a Prefect server could not be started or reached

A candidate that the gate refuses is an outcome, not an error: see `pipeline.jobs.retraining`.
"""

import copyreg
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class PipelineError(Exception):
    """Any expected failure; the message says what, expected, got, and what to do next."""

    def __reduce__(self) -> tuple[Any, ...]:
        # Exception would call `__init__` with the message alone.
        return copyreg.__newobj__, (type(self), *self.args), vars(self)  # type: ignore[attr-defined]


class SettingsError(PipelineError):
    """A setting has an invalid value."""


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


class MirrorError(PipelineError):
    """One mirror of a data file failed.

    Attributes
    ----------
    reason : str
    transient : bool
        Whether the same request may succeed later.
    """

    def __init__(self, reason: str, *, transient: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.transient = transient


class UnreachableError(MirrorError):
    """A mirror did not answer, so it is not asked for the next file either."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, transient=True)


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a mirror did not deliver a file."""

    mirror: str
    reason: str
    transient: bool


class NoMirrorLeftError(PipelineError):
    """Every mirror of a data file failed.

    Attributes
    ----------
    name : str
        Name of the file.
    failures : tuple of Failure
        One for each mirror, in the order in which they were tried.
    """

    def __init__(self, name: str, failures: Sequence[Failure]) -> None:
        lines = [f"  {failure.mirror}\n    {failure.reason}" for failure in failures]
        super().__init__(
            "\n".join(
                [
                    f"No mirror delivers {name}:",
                    *lines,
                    "Check the network, or set DIGITS_MIRRORS to a base URL or a directory that "
                    f"has {name}.gz or {name}.",
                ]
            )
        )
        self.name = name
        self.failures = tuple(failures)

    @property
    def transient(self) -> bool:
        """Whether another attempt may succeed later."""
        return any(failure.transient for failure in self.failures)


class DamagedDataError(PipelineError):
    """A data file has unexpected contents."""


class InputError(PipelineError):
    """An input has nothing to score, or cannot be read."""


class OutputError(PipelineError):
    """The results cannot be written to the given output."""


class DiskFullError(PipelineError):
    """A disk or a quota has no space left.

    Attributes
    ----------
    path : Path
        Where something could not be written.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path}: no space is left on the disk, or in the quota. Free some, and run it again; "
            "what is finished is kept."
        )
        self.path = path


class BusyError(PipelineError):
    """Another process already runs this job, and the settings say not to wait for it."""


class LineageError(PipelineError):
    """A version cannot be trained again from its recorded lineage."""


class WorkerError(PipelineError):
    """Two worker processes were killed in the same call, perhaps because memory is short."""


class ServerError(PipelineError):
    """A Prefect server could not be started or reached."""


class ShadowTrialError(PipelineError):
    """A challenger was worse than the champion in the shadow, or too little is known to say."""


class DeliveryError(PipelineError):
    """A message did not reach its receiver; the text does not name its address."""
