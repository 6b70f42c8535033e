"""The pages about scored batches: the list with its chart over time, and one batch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.summaries import counted
from pipeline.web.rendering import moment, percent, render
from pipeline.web.scales import Tick, time_scale, time_ticks, value_scale, value_ticks
from pipeline.web.site import site_of
from registry import Batch, InvalidArgumentError, NoRegistryError, Registry

WIDTH, HEIGHT = 1180, 230

_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 14, 14, 30

# Rows of a page of the list, and batches in the chart.
_PAGE = 50
_MAX_MARKS = 200

_MAX_ID = 999_999_999


@dataclass(frozen=True, slots=True)
class BatchMark:
    """A batch in the chart."""

    batch: Batch
    x: float
    y: float
    low: float
    high: float
    """Where its interval ends."""
    labelled: float | None
    """Where the accuracy on labelled images is; None if there are none."""
    text: str


@dataclass(frozen=True, slots=True)
class BatchChart:
    """The estimated accuracy of batches over time."""

    marks: Sequence[BatchMark]
    times: Sequence[Tick]
    values: Sequence[Tick]
    summary: str


@dataclass(frozen=True, slots=True)
class BatchListing:
    """A page of the list of batches."""

    batches: Sequence[Batch]
    chart: BatchChart | None
    drifted: bool
    """Whether only those with drift are listed."""
    before: int | None
    """The last batch of the previous page."""
    next: int | None
    """The batch that the next page continues after."""


def list_page(request: Request) -> Response:
    """Show the scored batches."""
    query = request.query_params
    try:
        listing = read_batches(
            site_of(request).registry,
            drifted=query.get("drift") == "yes",
            before=batch_id(query["before"]) if "before" in query else None,
        )
    except NoRegistryError:
        return render(request, "no_registry.html.j2", title="Batches")
    return render(request, "batches.html.j2", listing=listing)


def read_batches(
    registry: Registry, *, drifted: bool = False, before: int | None = None, limit: int = _PAGE
) -> BatchListing:
    """Return a page of the list of batches, newest first.

    Parameters
    ----------
    registry : Registry
    drifted : bool, optional
        List only those with drift.
    before : int, optional
        The last batch of the previous page.
    limit : int, optional
        Maximum number of rows.
    """
    rows = registry.batches(drifted=drifted, limit=limit + 1, before=before)
    newest = registry.batches(limit=_MAX_MARKS) if before is None else []
    return BatchListing(
        batches=rows[:limit],
        chart=chart_of(newest),
        drifted=drifted,
        before=before,
        next=rows[limit - 1].id if len(rows) > limit else None,
    )


def chart_of(batches: Sequence[Batch]) -> BatchChart | None:
    """Return the chart of batches, newest first; None if fewer than two have an estimate."""
    estimated = [(batch, batch.estimate) for batch in reversed(batches) if batch.estimate]
    if len(estimated) < 2:
        return None
    x = time_scale([batch.at for batch, _ in estimated], _LEFT + 6, WIDTH - _RIGHT - 6)
    ends = [end for _, each in estimated for end in (each.low, each.high)]
    ends += [share for batch, _ in estimated if (share := labelled_accuracy(batch)) is not None]
    y = value_scale(ends, HEIGHT - _BOTTOM, _TOP)
    marks = []
    for batch, estimate in estimated:
        share = labelled_accuracy(batch)
        marks.append(
            BatchMark(
                batch=batch,
                x=x(batch.at.timestamp()),
                y=y(estimate.accuracy),
                low=y(estimate.low),
                high=y(estimate.high),
                labelled=None if share is None else y(share),
                text=f"Batch {batch.id}, {moment(batch.at)}: {counted(batch.files, 'image')}, "
                f"estimated accuracy {percent(estimate.accuracy)}"
                + (", drift" if batch.has_drifted else ""),
            )
        )
    far = sum(batch.has_drifted for batch, _ in estimated)
    return BatchChart(
        marks=marks,
        times=time_ticks(x, 8),
        values=value_ticks(y, 4, percent=True),
        summary=f"Estimated accuracy of {counted(len(marks), 'batch', 'batches')} from "
        f"{moment(estimated[0][0].at)} to {moment(estimated[-1][0].at)}; {far:,} drifted.",
    )


def labelled_accuracy(batch: Batch) -> float | None:
    """Return the accuracy on the images of a batch with a label; None if there are none."""
    if batch.labels is None or not sum(batch.labels.labelled):
        return None
    return sum(batch.labels.correct) / sum(batch.labels.labelled)


def batch_page(request: Request) -> Response:
    """Show one batch."""
    batch = site_of(request).registry.batch(batch_id(request.path_params["id"]))
    return render(request, "batch.html.j2", **batch_context(batch))


def batch_context(batch: Batch) -> dict[str, Any]:
    """Return what the page of a batch shows."""
    return {
        "batch": batch,
        "name": Path(batch.output).name,
        "labelled_accuracy": labelled_accuracy(batch),
        "digits": _bars(batch.digits, [str(digit) for digit in range(len(batch.digits))]),
        "confidence": _bars(batch.histogram, _bins(len(batch.histogram)), is_logarithmic=True),
    }


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar of a chart of counts."""

    label: str
    count: int
    height: float
    """In [0, 1]."""


def _bars(
    counts: Sequence[int], labels: Sequence[str], *, is_logarithmic: bool = False
) -> list[Bar]:
    if not any(counts):
        return []
    # A bar of one image is to be seen beside one of a million.
    scale = [math.log10(1 + count) if is_logarithmic else count for count in counts]
    return [
        Bar(label, count, height / max(scale))
        for label, count, height in zip(labels, counts, scale, strict=True)
    ]


def _bins(count: int) -> list[str]:
    return [f"{index / count:.2f} to {(index + 1) / count:.2f}" for index in range(count)]


def batch_id(text: str) -> int:
    """Return the id of a batch that a request names.

    Raises
    ------
    registry.InvalidArgumentError
    """
    if not text.isdecimal() or not 1 <= int(text[:20]) <= _MAX_ID:
        raise InvalidArgumentError("batch", f"a number from 1 to {_MAX_ID:,}", text)
    return int(text)


routes = [Route("/batches", list_page), Route("/batches/{id}", batch_page)]
