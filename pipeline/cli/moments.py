"""Times on the command line: `2026-11-20`, `2026-11-20 11:02`, `2026-11-20T11:02:24+02:00`."""

import re
from datetime import UTC, datetime, timedelta

import typer

_FORM = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)"
    r"(?:[T ](?P<minute>\d\d:\d\d)(?:(?P<second>:\d\d)(?P<fraction>\.\d{1,6})?)?)?"
    r"\s*(?P<zone>Z|UTC|[+-]\d\d:?\d\d)?",
    re.ASCII,
)


def parse_moment(text: str) -> datetime:
    """Return the last moment that a time on the command line means.

    A time stands for the whole unit that it was written to: a date for the day until its end, and
    11:02:24 for that second, as `digits history` prints it. Without a zone it is in UTC.

    Raises
    ------
    typer.BadParameter
    """
    expected = "a time such as 2026-11-20, '2026-11-20 18:00' or 2026-11-20T18:00:05+01:00"
    match = _FORM.fullmatch(text.strip())
    if match is None:
        raise typer.BadParameter(f"expected {expected}, got {text!r}.")
    try:
        zone = (match["zone"] or "Z").replace("UTC", "Z")
        clock = f"{match['minute'] or '00:00'}{match['second'] or ''}{match['fraction'] or ''}"
        moment = datetime.fromisoformat(f"{match['date']}T{clock}{zone}").astimezone(UTC)
        return moment + _unit(match) - timedelta(microseconds=1)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"expected {expected}, got {text!r}.") from None


def _unit(match: re.Match[str]) -> timedelta:
    """Return the length of the unit that a time was written to."""
    if match["fraction"]:
        return timedelta(microseconds=10 ** (7 - len(match["fraction"])))
    if match["second"]:
        return timedelta(seconds=1)
    return timedelta(minutes=1) if match["minute"] else timedelta(days=1)
