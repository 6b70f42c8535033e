"""The page Now: what is in production and why, how the jobs are, and what needs a person."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.jobs.status import status
from pipeline.models import CHAMPION, MODEL
from pipeline.monitoring.status import Status
from pipeline.reporting.registry_tables import event_reason, event_text
from pipeline.web.rendering import render
from pipeline.web.site import Site, site_of
from registry import Event, ModelVersion, NoRegistryError, NotFoundError

# Rows of the list of what happened last.
_EVENTS = 8

# What is compared with the version before, in this order, if both have it.
_METRICS = ("validation_accuracy", "test_accuracy", "held_out_accuracy")


class Change(NamedTuple):
    """A metric of the champion and of the version before it."""

    name: str
    before: float | None
    after: float

    @property
    def points(self) -> float | None:
        """By how many percentage points it is better; None if the version before had no such."""
        return None if self.before is None else 100 * (self.after - self.before)


@dataclass(frozen=True, slots=True)
class Production:
    """What is in production, and what was before."""

    version: ModelVersion
    move: Event
    """The event that put it there."""
    reason: str
    before: ModelVersion | None
    """The champion before it; None if there was none, or it was deleted since."""
    changes: Sequence[Change]


@dataclass(frozen=True, slots=True)
class Happening:
    """An event as the page shows it."""

    event: Event
    text: str
    reason: str


def now_page(request: Request) -> Response:
    """Show what is in production, how the jobs are, and what needs a person."""
    try:
        present = read_now(site_of(request))
    except NoRegistryError:
        return render(request, "no_registry.html.j2", title="Now")
    return render(request, "now.html.j2", present=present)


class Present(NamedTuple):
    """What the page shows."""

    status: Status
    production: Production | None
    happenings: Sequence[Happening]


def read_now(site: Site) -> Present:
    """Return what the page shows.

    Raises
    ------
    registry.NoRegistryError
        If there is no registry.
    """
    registry = site.registry
    try:
        events = registry.history(MODEL, limit=_EVENTS)
    except NotFoundError:
        events = []
    return Present(
        status(settings=site.settings),
        _production(site),
        [Happening(event, event_text(event), event_reason(event)) for event in events],
    )


def _production(site: Site) -> Production | None:
    registry = site.registry
    try:
        version = registry.get(f"{MODEL}@{CHAMPION}")
        move = registry.history(MODEL, alias=CHAMPION, limit=1)[0]
    except (NotFoundError, IndexError):
        return None
    before = None
    if move.details.get("from") is not None:
        try:
            before = registry.get(f"{MODEL}/{move.details['from']}")
        except NotFoundError:
            before = None
    changes = [
        Change(name, None if before is None else before.metrics.get(name), version.metrics[name])
        for name in _METRICS
        if name in version.metrics
    ]
    return Production(version, move, event_reason(move), before, changes)


routes = [Route("/", now_page)]
