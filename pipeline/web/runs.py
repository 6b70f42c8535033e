"""The files that a retraining left on this machine: its learning curves."""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.reporting.run_files import RECORD
from pipeline.web.scales import Scale, Tick, value_ticks

# A run id comes from the registry, where an import may have brought any text.
_RUN_ID = re.compile(r"[A-Za-z0-9-]{1,64}")

# Bytes of a record that are read, and epochs that are drawn.
_MAX_RECORD = 10_000_000

WIDTH, HEIGHT = 560, 230

_LEFT, _RIGHT, _TOP, _BOTTOM = 58, 12, 12, 30


@dataclass(frozen=True, slots=True)
class Curves:
    """A chart of two curves over the epochs, on a logarithmic scale."""

    title: str
    training: str
    """Path."""
    validation: str
    """Path."""
    values: Sequence[Tick]
    epochs: Sequence[Tick]
    summary: str


def read_curves(directory: Path, run_id: str | None) -> list[Curves]:
    """Return the learning curves of a run; none if its record is not on this machine.

    Parameters
    ----------
    directory : Path
        Directory of all runs.
    run_id : str, optional
    """
    if run_id is None or not _RUN_ID.fullmatch(run_id):
        return []
    try:
        with (directory / run_id / RECORD).open("rb") as stream:
            record = json.loads(stream.read(_MAX_RECORD))
        history = [epoch for epoch in record["history"] if isinstance(epoch["number"], int)]
        losses = [(_positive(e["loss"]), _positive(e["validation_loss"])) for e in history]
        wrong = [(_wrong(e["accuracy"]), _wrong(e["validation_accuracy"])) for e in history]
    except (OSError, ValueError, LookupError, TypeError):
        return []
    numbers = [epoch["number"] for epoch in history]
    charts = (("Loss", losses, ""), ("Wrong predictions", wrong, " %"))
    return [
        _draw(title, numbers, pairs, unit)
        for title, pairs, unit in charts
        if any(value is not None for pair in pairs for value in pair)
    ]


def _draw(
    title: str, numbers: Sequence[int], pairs: Sequence[tuple[Any, Any]], unit: str
) -> Curves:
    values = [value for pair in pairs for value in pair if value is not None]
    low, high = math.log10(min(values)), math.log10(max(values))
    margin = 0.06 * (high - low) or 0.2
    y = Scale(low - margin, high + margin, HEIGHT - _BOTTOM, _TOP)
    x = Scale(numbers[0], max(numbers[-1], numbers[0] + 1), _LEFT, WIDTH - _RIGHT)
    training, validation = (
        _path([(x(n), y(math.log10(p[i]))) for n, p in zip(numbers, pairs, strict=True) if p[i]])
        for i in (0, 1)
    )
    last = pairs[-1]
    return Curves(
        title=title,
        training=training,
        validation=validation,
        values=[Tick(y(math.log10(v)), f"{v:g}{unit}") for v in _round_values(values)],
        epochs=[tick for tick in value_ticks(x, 6) if "." not in tick.text],
        summary=f"{title} by epoch; at the end {_text(last[0], unit)} in training and "
        f"{_text(last[1], unit)} in validation.",
    )


def _round_values(values: Sequence[float]) -> list[float]:
    """Return round values within the range of some values, for a logarithmic axis."""
    powers = range(math.floor(math.log10(min(values))), math.ceil(math.log10(max(values))) + 1)
    low, high = min(values) * 0.9, max(values) * 1.1
    steps = (1, 2, 5) if high < 60 * low else (1,)
    return [s * 10.0**power for power in powers for s in steps if low <= s * 10.0**power <= high]


def _path(points: Sequence[tuple[float, float]]) -> str:
    return "".join(f"{'L' if i else 'M'}{x:g} {y:g}" for i, (x, y) in enumerate(points))


def _positive(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and 0 < value < math.inf else None


def _wrong(accuracy: Any) -> float | None:
    return None if accuracy is None else _positive(100 * (1 - accuracy))


def _text(value: float | None, unit: str) -> str:
    return "nothing" if value is None else f"{value:.3g}{unit}"
