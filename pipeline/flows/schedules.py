"""When the jobs run: cron expressions that have a next run, in a time zone."""

import asyncio
from datetime import datetime
from zoneinfo import ZoneInfo, available_timezones

from prefect.schedules import Cron, Schedule
from prefect.server.schemas.schedules import CronSchedule

from pipeline.errors import InvalidParameterError

_FIELDS = 5


def cron_schedule(name: str, cron: str, timezone: str) -> Schedule:
    """Return the schedule of a cron expression.

    Parameters
    ----------
    name : str
        Name of the option, for the error.
    cron : str
        Five fields: minute, hour, day of the month, month, day of the week.
    timezone : str
        Name of an IANA time zone, such as ``America/New_York``.

    Raises
    ------
    InvalidParameterError
        If the expression is invalid or no date ever matches it, or the time zone is unknown.
    """
    if timezone not in available_timezones():
        raise InvalidParameterError("timezone", "a time zone like 'America/New_York'", timezone)
    # Prefect takes a sixth field for seconds, and then "daily at 3" runs every second for a minute.
    if len(cron.split()) != _FIELDS:
        raise InvalidParameterError(name, "five fields like '0 3 * * *'", cron)
    try:
        schedule = Cron(cron, timezone=timezone)
    except ValueError:
        raise InvalidParameterError(name, "five fields like '0 3 * * *'", cron) from None
    try:
        next_runs(schedule, 1)
    except ValueError:
        # Prefect would accept it, and never run it.
        expected = "a date that exists, unlike 31 February"
        raise InvalidParameterError(name, expected, cron) from None
    return schedule


def next_runs(schedule: Schedule, count: int, start: datetime | None = None) -> list[datetime]:
    """Return the next times of a cron schedule, as the Prefect server computes them.

    Parameters
    ----------
    schedule : Schedule
        Of a cron expression.
    count : int
    start : datetime, optional
        No time is before it; by default, now.

    Raises
    ------
    ValueError
        If no date ever matches.
    """
    zone = schedule.timezone or "UTC"
    cron = CronSchedule(cron=schedule.cron or "", timezone=zone)
    dates = asyncio.run(cron.get_dates(count, start))
    return [date.astimezone(ZoneInfo(zone)) for date in dates]
