"""The page of one version: its gate, curves, metrics, lineage and history, and what can be done."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.models import CHAMPION
from pipeline.reporting.registry_tables import event_reason, event_text
from pipeline.reporting.rows import flat_params
from pipeline.web.rendering import render
from pipeline.web.runs import read_curves
from pipeline.web.site import Site, site_of
from registry import ModelVersion, NotFoundError, Proposal, Registry

# Rows of the table of its history.
_MAX_EVENTS = 100

DONE = {
    "promote": "The alias points at this version now.",
    "rollback": "The alias points at its previous version again.",
    "propose": "The version is proposed. Somebody else has to approve it.",
    "approve": "Your approval is recorded.",
    "unalias": "The alias is removed.",
    "archive": "The version is archived: no alias can point at it.",
    "restore": "The version is ready again.",
    "tag": "The tag is set.",
    "untag": "The tag is removed.",
    "describe": "The description is changed.",
}
"""What a page says after each change."""


def version_page(request: Request) -> Response:
    """Show everything about one version."""
    reference = f"{request.path_params['name']}/{request.path_params['number']}"
    return show_version(request, reference, done=request.query_params.get("done"))


def show_version(
    request: Request,
    reference: str,
    *,
    status: int = 200,
    done: str | None = None,
    problem: str | None = None,
    proposal_for: str | None = None,
) -> Response:
    """Return the page of a version.

    Parameters
    ----------
    request : Request
    reference : str
    status : int, optional
    done : str, optional
        The change that was just made.
    problem : str, optional
        Why a change was not made.
    proposal_for : str, optional
        The protected alias that the version could be proposed for.
    """
    site = site_of(request)
    return render(
        request,
        "version.html.j2",
        status=status,
        done=DONE.get(done or ""),
        problem=problem,
        proposal_for=proposal_for,
        **version_context(site, reference),
    )


def version_context(site: Site, reference: str) -> dict[str, object]:
    """Return what the page of a version shows.

    Raises
    ------
    registry.NotFoundError
    """
    registry = site.registry
    version = registry.get(reference)
    events = registry.history(version.name, number=version.number, limit=_MAX_EVENTS)
    aliases = next(model.aliases for model in registry.models() if model.name == version.name)
    champion = aliases.get(CHAMPION)
    return {
        "version": version,
        "events": [(event, event_text(event), event_reason(event)) for event in events],
        "aliases": aliases,
        "champion": None if champion is None else f"{version.name}/{champion}",
        "generation": _generation(registry, version.name),
        "proposals": _proposals(registry, version),
        "params": list(flat_params(version.params)),
        "curves": read_curves(site.settings.runs, version.run_id),
    }


def _generation(registry: Registry, name: str) -> int:
    """Return what tells whether the champion has moved since a page was shown."""
    try:
        return registry.alias(name, CHAMPION).generation
    except NotFoundError:
        return 0


def _proposals(registry: Registry, version: ModelVersion) -> list[Proposal]:
    return [each for each in registry.proposals(version.name) if each.version == version.reference]


routes = [Route("/versions/{name}/{number}", version_page)]
