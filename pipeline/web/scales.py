"""Scales of charts: from values and times to places in a drawing, with readable ticks."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

# A tick is at a multiple of one of these, times a power of ten.
_STEPS = (1, 2, 2.5, 5, 10)

_HOUR, _DAY = 3_600, 86_400
_SPACINGS = (60, 300, 900, 1_800, _HOUR, 3 * _HOUR, 6 * _HOUR, 12 * _HOUR, _DAY, 2 * _DAY, 7 * _DAY)


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis."""

    place: float
    text: str


@dataclass(frozen=True, slots=True)
class Scale:
    """A linear scale from values to places."""

    low: float
    high: float
    start: float
    """Place of `low`."""
    end: float
    """Place of `high`."""

    def __call__(self, value: float) -> float:
        """Return the place of a value, to a tenth; one beyond the scale is at its end."""
        share = (value - self.low) / ((self.high - self.low) or 1.0)
        place = self.start + (self.end - self.start) * min(1.0, max(0.0, share))
        return round(place, 1)

    def many(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the places of many values."""
        shares = (values - self.low) / ((self.high - self.low) or 1.0)
        places: NDArray[np.float64] = self.start + (self.end - self.start) * shares.clip(0, 1)
        return places


def value_ticks(scale: Scale, count: int, *, percent: bool = False) -> list[Tick]:
    """Return about `count` ticks at round values.

    Parameters
    ----------
    scale : Scale
    count : int
    percent : bool, optional
        Show fractions in percent.
    """
    factor = 100 if percent else 1
    low, high = factor * scale.low, factor * scale.high
    rough = (high - low) / count or 1.0
    power = 10 ** math.floor(math.log10(rough))
    step = min(_STEPS, key=lambda step: abs(math.log(step * power / rough))) * power
    digits = max(0, -math.floor(math.log10(step) + 1e-9)) + (step / power == 2.5)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    unit = "\N{NO-BREAK SPACE}%" if percent else ""
    return [
        Tick(scale(number * step / factor), f"{number * step:,.{digits}f}{unit}")
        for number in range(first, last + 1)
    ]


def time_ticks(scale: Scale, count: int) -> list[Tick]:
    """Return about `count` ticks at whole hours, days, weeks, months or years.

    The scale is in seconds since 1970.
    """
    rough = (scale.high - scale.low) / count
    spacing = next((each for each in _SPACINGS if each >= rough), None)
    if spacing is None:
        times = _months(scale, rough)
    else:
        # Weeks begin on Monday; 1970 began on a Thursday.
        offset = 4 * _DAY if spacing == 7 * _DAY else 0
        first = math.ceil((scale.low - offset) / spacing) * spacing + offset
        number = int((scale.high - first) // spacing) + 1
        times = [first + index * spacing for index in range(max(0, number))]
    form = "%H:%M" if spacing is not None and spacing < _DAY else "%Y-%m-%d"
    if spacing is None:
        form = "%Y-%m" if rough < 300 * _DAY else "%Y"
    return [Tick(scale(time), f"{datetime.fromtimestamp(time, UTC):{form}}") for time in times]


def _months(scale: Scale, rough: float) -> list[float]:
    """Return the first moments of months, a whole number of months apart."""
    months = next((each for each in (1, 3, 6, 12, 24, 60, 120) if each * 31 * _DAY >= rough), 240)
    start = datetime.fromtimestamp(scale.low, UTC)
    index = start.year * 12 + start.month - 1
    index = -(-index // months) * months
    times: list[float] = []
    while True:
        time = datetime(index // 12, index % 12 + 1, 1, tzinfo=UTC).timestamp()
        if time > scale.high:
            return times
        if time >= scale.low:
            times.append(time)
        index += months


def time_scale(times: Sequence[datetime], start: float, end: float) -> Scale:
    """Return the scale of some times, at least one; a single one is in its middle."""
    low, high = min(times), max(times)
    if low == high:
        low, high = low - timedelta(hours=12), high + timedelta(hours=12)
    return Scale(low.timestamp(), high.timestamp(), start, end)


def value_scale(values: Sequence[float], start: float, end: float, *, cut: bool = False) -> Scale:
    """Return the scale of some values, with a margin.

    Parameters
    ----------
    values : sequence of float
        At least one.
    start, end : float
        Places of the lowest and the highest value.
    cut : bool, optional
        Values that are far below the others do not decide on the scale: they are drawn at its end.
    """
    ordered = sorted(values)
    low, high, middle = ordered[0], ordered[-1], ordered[len(ordered) // 2]
    if cut:
        low = max(low, middle - 4 * max(high - middle, 1e-4))
    margin = 0.08 * (high - low) or 0.05 * abs(high) or 1.0
    return Scale(low - margin, high + margin, start, end)
