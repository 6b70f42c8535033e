"""The application: all pages behind the guard."""

import contextlib
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.review.collection import ReviewQueues
from pipeline.settings import Settings
from pipeline.web import (
    api,
    batch_images,
    batches,
    compare,
    mistakes,
    now,
    review,
    signing_in,
    trying,
    version,
    version_changes,
    versions,
)
from pipeline.web.failures import EXPECTED, expected_failure, http_failure
from pipeline.web.rendering import assets
from pipeline.web.safety import Guard
from pipeline.web.site import Access, Site

# A year. The address of an asset changes with its content.
_FOREVER = "public, max-age=31536000, immutable"


def create_app(settings: Settings, access: Access | None = None) -> Starlette:
    """Return the application that serves the pages and the API.

    Parameters
    ----------
    settings : Settings
    access : Access, optional
        By default the pages are reached under the loopback address only, and allow changes.
    """
    site = Site(settings, access)

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        site.close()

    app = Starlette(
        routes=[
            Route("/static/{name}", asset),
            *signing_in.routes,
            *now.routes,
            *versions.routes,
            *version.routes,
            *version_changes.routes,
            *mistakes.routes,
            *compare.routes,
            *trying.routes,
            *batches.routes,
            *batch_images.routes,
            *review.routes,
            *api.routes,
        ],
        middleware=[Middleware(Guard, site=site)],
        exception_handlers={
            HTTPException: http_failure,
            **dict.fromkeys(EXPECTED, expected_failure),
        },
        lifespan=lifespan,
    )
    app.state.site = site
    app.state.review_queues = ReviewQueues(settings)
    return app


def asset(request: Request) -> Response:
    """Return an asset."""
    found = assets().get(request.path_params["name"])
    if found is None:
        raise HTTPException(404)
    return Response(found.content, media_type=found.media_type, headers={"Cache-Control": _FOREVER})
