"""How a command ends if it fails: the message, a hint at what to do next, and the exit status."""

import os
import re

# What can be an alias, if an @ precedes it.
_ALIAS = re.compile(r"[a-z][a-z0-9_-]*")

# How the message about an unknown model, version or alias begins.
_NOT_THERE = "There is no "

# Arguments of the registry whose options have other names.
_OPTIONS = {"order_by": "--sort", "where": "--where"}

FAILED = 1
WRONG_USAGE = 2
REFUSED = 3
NOT_FOUND = 4


def is_expected(error: Exception) -> bool:
    """Return whether an error is one of those that the packages raise on purpose."""
    from nn import NetworkError
    from pipeline.errors import PipelineError
    from registry import RegistryError

    return isinstance(error, NetworkError | PipelineError | RegistryError | OSError)


def exit_status(error: Exception) -> int:
    """Return the exit status of an expected error.

    An argument that is outside its domain is wrong usage, and so is an input or an output that
    cannot be used, or such an environment variable, whichever package finds out.
    """
    import nn
    import pipeline.errors
    import registry

    if isinstance(error, registry.GateError | pipeline.errors.ShadowTrialError):
        return REFUSED
    if isinstance(error, registry.NotFoundError):
        return NOT_FOUND
    if isinstance(error, registry.NewerRegistryError):
        return FAILED
    wrong_usage = (
        nn.InvalidParameterError,
        pipeline.errors.InputError,
        pipeline.errors.InvalidParameterError,
        pipeline.errors.OutputError,
        pipeline.errors.SettingsError,
        registry.InvalidArgumentError,
        registry.UnsupportedError,
    )
    return WRONG_USAGE if isinstance(error, wrong_usage) else FAILED


def message(error: Exception) -> str:
    """Return the message of an expected error, and on a second line the hint, if there is one."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{os.fsdecode(error.filename)}: {error.strerror}."
    text = str(error)
    argument, mark, rest = text.partition(": expected ")
    if mark and argument in _OPTIONS:
        text = f"{_OPTIONS[argument]}{mark}{rest}"
    hint = _hint(error)
    return f"{text}\n{hint}" if hint else text


def as_json(error: Exception) -> dict[str, object]:
    """Return an expected error as values that JSON can hold."""
    return {
        "error": {
            "type": type(error).__name__,
            "message": message(error),
            "exit_status": exit_status(error),
        }
    }


def _hint(error: Exception) -> str | None:
    """Return which command helps after an error of the registry, which knows no commands."""
    import registry

    if isinstance(error, registry.InvalidArgumentError) and error.name == "reference":
        bare = str(error.got)
        alias = f"@{bare}" if _ALIAS.fullmatch(bare) else "@champion"
        return f"An alias is written {alias}, and a version 7 or mnist/7."
    if isinstance(error, registry.GateError):
        return (
            f"`digits show {error.reference}` shows its gate; "
            "`digits promote --force` makes an exception."
        )
    if isinstance(error, registry.NotFoundError) and not str(error).startswith(_NOT_THERE):
        # An alias that is there, and was not at a time, or has no previous version.
        return "`digits history` lists the moves of an alias."
    # The first class that fits counts, so a subclass stands before its base class.
    hints: dict[type[Exception], str] = {
        registry.NoRegistryError: (
            "`digits retrain` makes the first version. DIGITS_HOME and DIGITS_REGISTRY_URL say "
            "which registry is meant."
        ),
        registry.ProtectedAliasError: (
            "`digits propose` proposes a version, and `digits approve` approves it."
        ),
        registry.VersionInUseError: (
            "`digits promote` points an alias at another version; `digits history` lists the "
            "moves of an alias."
        ),
        registry.ApprovalError: "`digits proposals` lists who proposed and who approved.",
        registry.NotFoundError: "`digits versions` lists the versions and their aliases.",
        registry.AliasMovedError: "`digits history` lists the moves of an alias.",
        registry.ArchivedError: "`digits archive --undo` restores a version.",
        registry.CollisionError: "`digits export MODEL/NUMBER FILE` exports a single version.",
        registry.BlobError: "`digits verify` lists all weights that are missing or damaged.",
        registry.DamagedHistoryError: "`digits verify` lists what was edited or lost.",
        registry.ArchiveError: "`digits export` writes the files that can be imported.",
        registry.NewerRegistryError: "Upgrade digits to the release that opened it last.",
        registry.UnsupportedError: (
            "DIGITS_REGISTRY_URL names the database, and DIGITS_BLOBS_URL the blob store."
        ),
    }
    return next((hint for kind, hint in hints.items() if isinstance(error, kind)), None)
