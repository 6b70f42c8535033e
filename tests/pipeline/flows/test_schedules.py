"""Cron expressions and time zones, as the Prefect server understands them."""

import json
import os

import forked_commands
import pytest
from prefect_api import post
from processes import LIMIT, until

PROGRAM = """
import json
from datetime import datetime
from pipeline.flows.schedules import cron_schedule, next_runs
start = datetime.fromisoformat({start!r})
schedule = cron_schedule("cron", "0 3 * * *", "America/New_York")
print(json.dumps([f"{{time:%m-%d %H:%M %Z}}" for time in next_runs(schedule, 3, start)]))
"""


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        ("2026-03-06T12:00+00:00", ["03-07 03:00 EST", "03-08 03:00 EDT", "03-09 03:00 EDT"]),
        ("2026-10-30T12:00+00:00", ["10-31 03:00 EDT", "11-01 03:00 EST", "11-02 03:00 EST"]),
    ],
)
def test_a_night_stays_at_its_hour_through_daylight_saving(home, start, expected):
    """Once a night, at the hour of the wall clock, before and after the change."""
    ended = forked_commands.python(PROGRAM.format(start=start), os.environ)
    assert ended.status == 0, ended.err
    assert json.loads(ended.out) == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--cron", "at night"), "cron: expected five fields"),
        # Prefect takes it for every second of 00:00 on the 3rd.
        (("--cron", "0 0 3 * * *"), "cron: expected five fields"),
        (("--ingest-cron", "@daily"), "ingest-cron: expected five fields"),
        (("--ingest-cron", "0 3 * * R"), "ingest-cron: expected five fields"),
        # Prefect accepts it, and never runs it.
        (("--ingest-cron", "0 3 31 2 *"), "ingest-cron: expected a date that exists"),
        (("--timezone", "New York"), "timezone: expected a time zone like"),
    ],
)
def test_serve_refuses_a_schedule_that_is_not_meant(digits_apart, server, arguments, message):
    ended = digits_apart("serve", *arguments, PREFECT_API_URL=server)
    assert (ended.status, ended.err.startswith(f"Error: {message}")) == (2, True), ended.err


def test_serve_prints_the_next_runs_which_are_those_of_the_server(
    start_digits, server, own_deployments, home
):
    """With their zone."""
    process = start_digits(
        *("serve", "--cron", "30 2 1 7 *", "--timezone", "America/New_York"),
        PREFECT_API_URL=server,
    )
    found = until(lambda: post(f"{server}/deployments/filter", {}), process)
    while len(found) < 2:
        found = until(lambda: post(f"{server}/deployments/filter", {}), process)
    zones = {each["schedules"][0]["schedule"]["timezone"] for each in found}
    assert zones == {"America/New_York"}
    process.terminate()
    _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, err
    (line,) = [line for line in err.splitlines() if line.startswith("--cron: next runs ")]
    assert line.count("-07-01 02:30 EDT") == 3
