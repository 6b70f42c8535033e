"""Options that have no effect in some combination: an error, since whoever gave one meant it."""

from collections.abc import Collection

import typer

_COMMAND_LINE = "COMMANDLINE"


def refuse_without_effect(
    context: typer.Context, circumstance: str, names: Collection[str]
) -> None:
    """Refuse options that the command line has although they have no effect.

    Parameters
    ----------
    context : typer.Context
    circumstance : str
        When they have none: ``without --inbox``.
    names : collection of str
        The parameters of the command that these options set.

    Raises
    ------
    typer.BadParameter
    """
    given = [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name in names and _is_given(context, parameter.name)
    ]
    if given:
        verb = "has" if len(given) == 1 else "have"
        raise typer.BadParameter(f"{', '.join(given)} {verb} no effect {circumstance}.")


def all_but(context: typer.Context, names: Collection[str]) -> set[str]:
    """Return the parameters of the command without some."""
    return {parameter.name or "" for parameter in context.command.params} - set(names)


def _is_given(context: typer.Context, name: str | None) -> bool:
    source = context.get_parameter_source(name or "")
    return source is not None and source.name == _COMMAND_LINE
