"""The page Versions: the champion over time, and the list with its search."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.models import MODEL
from pipeline.reporting.registry_tables import event_reason
from pipeline.web.rendering import render
from pipeline.web.site import Site, site_of
from pipeline.web.timeline import Timeline, read_timeline
from registry import (
    Event,
    FilterError,
    ModelVersion,
    NoRegistryError,
    NotFoundError,
    Registry,
)

METRIC = "validation_accuracy"
"""The metric that the timeline shows unless another is asked for."""

# Rows of a page of the list, and of the tables below it.
_PAGE = 50
_MAX_REFUSALS = 50


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refused candidate, as the list shows it."""

    event: Event
    reason: str


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of the list of versions."""

    name: str
    names: Sequence[str]
    """All models."""
    where: str
    sort: str
    metric: str
    metrics: Sequence[str]
    """Names of metrics that the newest version has."""
    versions: Sequence[ModelVersion]
    problem: str | None
    """Why the condition or the order cannot be understood."""
    next: str | None
    """The version that the next page continues after."""
    refusals: Sequence[Refusal]
    timeline: Timeline | None

    @property
    def is_search(self) -> bool:
        """Whether versions may be left out."""
        return bool(self.where)


def list_page(request: Request) -> Response:
    """Show the versions of a model, or those that match a condition."""
    try:
        listing = read_listing(site_of(request), request.query_params, limit=_PAGE)
    except NoRegistryError:
        return render(request, "no_registry.html.j2", title="Versions")
    status = 400 if listing.problem else 200
    return render(
        request,
        "versions.html.j2",
        status=status,
        listing=listing,
        after=request.query_params.get("after"),
    )


def read_listing(site: Site, query: Mapping[str, str], *, limit: int = _PAGE) -> Listing:
    """Return a page of the list of versions.

    Parameters
    ----------
    site : Site
    query : mapping
        ``model``, ``where``, ``sort``, ``after`` and ``metric``, each optional.
    limit : int, optional
        Maximum number of rows.

    Raises
    ------
    registry.NotFoundError
        If there is no such model.
    """
    registry = site.registry
    names = [model.name for model in registry.models()]
    name = query.get("model") or (MODEL if MODEL in names or not names else names[0])
    where, sort = query.get("where", "").strip(), query.get("sort", "").strip()
    rows: list[ModelVersion] = []
    problem = None
    try:
        rows = registry.versions(
            name,
            where=where or None,
            order_by=sort or None,
            limit=limit + 1,
            after=query.get("after") or None,
        )
    except FilterError as error:
        problem = str(error)
    if name not in names and "model" in query:
        raise NotFoundError(f"model {name}")
    metrics = _metrics(registry, name)
    metric = query.get("metric") or (METRIC if METRIC in metrics else next(iter(metrics), METRIC))
    refused, timeline = _over_time(site, name, metric) if name in names else ((), None)
    return Listing(
        name=name,
        names=names,
        where=where,
        sort=sort,
        metric=metric,
        metrics=metrics,
        versions=rows[:limit],
        problem=problem,
        next=rows[limit - 1].reference if len(rows) > limit else None,
        refusals=[Refusal(event, event_reason(event)) for event in refused[:_MAX_REFUSALS]],
        timeline=timeline,
    )


def _metrics(registry: Registry, name: str) -> list[str]:
    """Return the names of the metrics that the newest version of a model has."""
    newest = registry.versions(name, limit=1)
    return sorted(newest[0].metrics) if newest else []


def _over_time(site: Site, name: str, metric: str) -> tuple[Sequence[Event], Timeline | None]:
    """Return the refused candidates of a model, newest first, and its chart."""
    registry = site.registry
    now = datetime.now(UTC)
    # Nothing but an event changes these; the chart ends at the present hour.
    head = registry.history(name, limit=1)[0].hash
    refused = site.remember(
        ("refused", name), head, lambda: registry.history(name, kind="refused", limit=1_000)
    )
    timeline = site.remember(
        ("timeline", name, metric),
        (head, f"{now:%Y-%m-%d %H}"),
        lambda: read_timeline(registry, name, metric, refused, now),
    )
    return refused, timeline


routes = [Route("/versions", list_page)]
