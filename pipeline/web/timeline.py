"""The champion over time: a chart of all versions of a model, and of what was refused."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np

from pipeline.models import CHAMPION
from pipeline.reporting.registry_tables import event_reason
from pipeline.summaries import counted
from pipeline.web.rendering import moment, percent
from pipeline.web.scales import Scale, Tick, time_scale, time_ticks, value_scale, value_ticks
from registry import Event, MetricValue, Registry

WIDTH, HEIGHT = 1180, 290

_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 16, 30

# Events that are drawn with a mark of their own and what it says, the newest.
_MAX_MARKS = 150


@dataclass(frozen=True, slots=True)
class Mark:
    """Something in the chart that says what it is."""

    x: float
    y: float
    text: str
    number: int | None = None
    """Number of the version; None if it is a candidate that was refused."""


@dataclass(frozen=True, slots=True)
class Timeline:
    """The drawing."""

    metric: str
    versions: str
    """Path of a dot for each version."""
    champion: str
    """Path of the champion's metric over time."""
    moves: Sequence[Mark]
    refusals: Sequence[Mark]
    times: Sequence[Tick]
    values: Sequence[Tick]
    summary: str
    """What it shows, for whoever does not see it."""


def read_timeline(
    registry: Registry, name: str, metric: str, refusals: Sequence[Event], now: datetime
) -> Timeline | None:
    """Return the chart of a model's metric; None if no version has it.

    Parameters
    ----------
    registry : Registry
    name : str
        Name of the model.
    metric : str
    refusals : sequence of Event
        The refused candidates, newest first.
    now : datetime
        Where the chart ends.

    Raises
    ------
    registry.NotFoundError
        If there is no such model.
    """
    figures = registry.metric_history(name, metric)
    if not figures:
        return None
    moves = [event for event in registry.history(name, alias=CHAMPION) if _is_move(event)]
    moves.reverse()
    return _draw(metric, figures, moves, list(reversed(refusals)), now)


def _is_move(event: Event) -> bool:
    return event.kind in {"alias_moved", "alias_rolled_back", "alias_removed"}


def _draw(
    metric: str,
    figures: Sequence[MetricValue],
    moves: Sequence[Event],
    refusals: Sequence[Event],
    now: datetime,
) -> Timeline:
    refused = [
        (event, event.details["candidate"]["metrics"].get(metric))
        for event in refusals[-_MAX_MARKS:]
    ]
    values = [figure.value for figure in figures]
    x = time_scale(
        [figures[0].created_at, *(event.at for event, _ in refused), now], _LEFT, WIDTH - _RIGHT
    )
    y = value_scale(
        [*values, *(v for _, v in refused if v is not None)], HEIGHT - _BOTTOM, _TOP, cut=True
    )
    is_fraction = all(0 <= value <= 1 for value in values)
    show = percent if is_fraction else "{:.4g}".format
    by_number = {figure.number: figure.value for figure in figures}
    return Timeline(
        metric=metric,
        versions=_dots(figures, x, y),
        champion=_steps(moves, by_number, x, y, now),
        moves=_move_marks(moves[-_MAX_MARKS:], by_number, x, y, show),
        refusals=[
            Mark(
                x(event.at.timestamp()),
                HEIGHT - _BOTTOM if value is None else y(value),
                f"Refused {moment(event.at)}: {event_reason(event)}",
            )
            for event, value in refused
        ],
        times=time_ticks(x, 8),
        values=value_ticks(y, 5, percent=is_fraction),
        summary=_summary(metric, figures, moves, by_number, show, len(refusals)),
    )


def _move_marks(
    moves: Sequence[Event],
    values: dict[int, float],
    x: Scale,
    y: Scale,
    show: Callable[[float], str],
) -> list[Mark]:
    """Return a mark for each move of the champion to a version that has the metric."""
    return [
        Mark(
            x(event.at.timestamp()),
            y(values[event.number]),
            f"{event.name}/{event.number} since {moment(event.at)}: {show(values[event.number])}",
            event.number,
        )
        for event in moves
        if event.number in values
    ]


def _dots(figures: Sequence[MetricValue], x: Scale, y: Scale) -> str:
    """Return a path of dots, one for all versions that are in the same place to the pixel."""
    times = np.array([figure.created_at.timestamp() for figure in figures])
    values = np.array([figure.value for figure in figures])
    across, down = (np.rint(each).astype(int) for each in (x.many(times), y.many(values)))
    places = np.unique(across * HEIGHT + down).tolist()
    return "".join("M{} {}h0".format(*divmod(place, HEIGHT)) for place in places)


def _steps(
    moves: Sequence[Event], values: dict[int, float], x: Scale, y: Scale, now: datetime
) -> str:
    """Return a path of steps: the champion's metric from each move to the next."""
    end = (x(now.timestamp()), None)
    points = [
        (x(event.at.timestamp()), y(values[event.number]) if event.number in values else None)
        for event in moves
    ]
    # Of several moves in one place, the last counts.
    unique = list({place: (place, height) for place, height in points}.values())
    path, drawing = [], False
    for (start, height), (stop, _) in pairwise([*unique, end]):
        if height is None:
            drawing = False
            continue
        path.append(f"V{height:g}H{stop:g}" if drawing else f"M{start:g} {height:g}H{stop:g}")
        drawing = True
    return "".join(path)


def _summary(
    metric: str,
    figures: Sequence[MetricValue],
    moves: Sequence[Event],
    values: dict[int, float],
    show: Callable[[float], str],
    refused: int,
) -> str:
    first, last = figures[0].created_at, figures[-1].created_at
    text = (
        f"{metric} of {counted(len(figures), 'version')} from {first.astimezone(UTC):%Y-%m-%d} to "
        f"{last.astimezone(UTC):%Y-%m-%d}; refused candidates: {refused:,}."
    )
    number = moves[-1].number if moves else None
    if number in values:
        text += f" The champion is {moves[-1].name}/{number}: {show(values[number])}."
    return text
