"""Times on the command line."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
import typer
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cli.moments import parse_moment

MICROSECOND = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("2026-11-20", "2026-11-21T00:00Z"),
        ("2026-11-20+02:00", "2026-11-20T22:00Z"),
        ("2026-11-20 18:00", "2026-11-20T18:01Z"),
        ("2026-11-20T18:00:05", "2026-11-20T18:00:06Z"),
        ("2026-11-20 18:00:05 UTC", "2026-11-20T18:00:06Z"),
        ("2026-11-20T18:00:05-05:00", "2026-11-20T23:00:06Z"),
        ("2026-11-20T18:00:05.25+0530", "2026-11-20T12:30:05.26Z"),
        ("2026-11-20T18:00:05.000001Z", "2026-11-20T18:00:05.000002Z"),
    ],
)
def test_a_time_means_the_end_of_the_unit_it_is_written_to(text, end):
    assert parse_moment(text) == datetime.fromisoformat(end) - MICROSECOND


@pytest.mark.parametrize(
    "text",
    [
        *("2026", "20261120", "2026-11", "1763900000", "yesterday", "", "18:00"),
        *("2026-13-01", "2026-11-20T25:00", "2026-11-20T18:00.5", "2026-11-20T18:00+99:99"),
        *("9999-12-31", "0001-01-01T00:00+02:00", "2026-11-20T18:00:05,5", "२०२६-११-२०"),
    ],
)
def test_what_is_not_a_time_is_refused(text):
    with pytest.raises(typer.BadParameter, match="expected a time such as 2026-11-20"):
        parse_moment(text)


@given(
    st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1)),  # noqa: DTZ001 - zones are drawn
    st.integers(-14 * 60, 14 * 60),
)
def test_a_time_as_the_history_prints_it_finds_its_event(moment, minutes):
    zone = timezone(timedelta(minutes=minutes))
    moment = moment.replace(tzinfo=zone)
    at = parse_moment(moment.isoformat(timespec="seconds"))
    assert moment <= at < moment + timedelta(seconds=1)
    assert parse_moment(f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S}") == at
    assert parse_moment(moment.isoformat(timespec="microseconds")) == moment
