"""The page Now: what is in production, and what needs a person."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.web.rendering import render


def now_page(request: Request) -> Response:
    """Show what is in production."""
    return render(request, "now.html.j2")


routes = [Route("/", now_page)]
