"""Templates as pages. Every value is escaped, unless a template says that it is safe."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment
from starlette.requests import Request
from starlette.responses import HTMLResponse

from pipeline.metrics.drift import PROFILE
from pipeline.reporting.templating import templates_of
from pipeline.web.site import site_of

_MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}

# The main pages, in the order of the navigation: their path, and their title.
_NAVIGATION = (
    ("/", "Now"),
    ("/versions", "Versions"),
    ("/compare", "Compare"),
    ("/batches", "Batches"),
    ("/review", "Review"),
    ("/try", "Try it"),
)


@dataclass(frozen=True, slots=True)
class Asset:
    """A file that the pages need, such as the style sheet."""

    content: bytes = field(repr=False)
    media_type: str

    @property
    def digest(self) -> str:
        """First characters of its SHA-256."""
        return hashlib.sha256(self.content).hexdigest()[:16]


@cache
def assets() -> Mapping[str, Asset]:
    """Return all assets by name. They are read once, so no request names a file."""
    directory = files("pipeline.web") / "static"
    return {
        entry.name: Asset(entry.read_bytes(), _MEDIA_TYPES[suffix])
        for entry in directory.iterdir()
        if (suffix := f".{entry.name.rpartition('.')[2]}") in _MEDIA_TYPES
    }


class ServerLinks:
    """Addresses of the pages on a server."""

    is_static = False
    navigation = _NAVIGATION

    def page(self, path: str, **query: object) -> str:
        """Return the address of a page; values of the query that are None are left out."""
        given = {name: value for name, value in query.items() if value is not None}
        return f"{path}?{urlencode(given)}" if given else path

    def version(self, reference: str) -> str:
        """Return the address of the page of a version."""
        return f"/versions/{quote(reference)}"

    def batch(self, number: int) -> str | None:
        """Return the address of the page of a batch; None if it has none."""
        return f"/batches/{number}"

    def asset(self, name: str) -> str:
        """Return the address of an asset, which is another if its content is."""
        return f"/static/{name}?v={assets()[name].digest}"


@cache
def environment() -> Environment:
    """Return the environment of the templates."""
    loaded = templates_of("pipeline.web", autoescape=True)
    loaded.globals["hidden_tag"] = PROFILE
    loaded.filters |= {
        "moment": moment,
        "iso": iso,
        "ago": ago,
        "thousands": "{:,}".format,
        "percent": percent,
        "recorded": recorded,
        "change": change,
        "points": points,
    }
    return loaded


def render(
    request: Request, template: str, *, status: int = 200, **context: object
) -> HTMLResponse:
    """Return a template as a page.

    Parameters
    ----------
    request : Request
    template : str
        File below ``templates``; it extends ``base.html.j2``.
    status : int, optional
    **context : object
        The variables of the template.
    """
    site = site_of(request)
    page = render_page(
        template,
        path=request.url.path,
        links=ServerLinks(),
        read_only=site.access.read_only,
        signed_in=site.access.token is not None and site.is_signed_in(request),
        csrf=site.csrf_token(request),
        now=datetime.now(UTC),
        status=status,
        **context,
    )
    return HTMLResponse(page, status)


def render_page(template: str, **context: object) -> str:
    """Return a template with its variables, those of the frame included."""
    return environment().get_template(template).render(context)


def moment(value: datetime) -> str:
    """Return a time for people, to the minute, in UTC."""
    return f"{value.astimezone(UTC):%Y-%m-%d %H:%M}"


def iso(value: datetime) -> str:
    """Return a time for programs."""
    return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def ago(value: datetime, now: datetime) -> str:
    """Return how long ago a time was, in its largest unit: ``3 days ago``."""
    seconds = (now - value).total_seconds()
    if seconds < 60:
        return "just now" if seconds > -60 else moment(value)
    for unit, length in (("day", 86_400), ("hour", 3_600), ("minute", 60)):
        count = int(seconds // length)
        if count:
            return f"{count:,} {unit}{'' if count == 1 else 's'} ago"
    raise AssertionError(seconds)


def percent(fraction: float, digits: int = 2) -> str:
    """Return a fraction in percent: ``99.30 %``, with a space that does not break."""
    return f"{100 * fraction:.{digits}f}\N{NO-BREAK SPACE}%"


def change(difference: float) -> str:
    """Return a difference with its sign."""
    return f"{difference:+.4g}".replace("-", "\N{MINUS SIGN}", 1)


def points(difference: float) -> str:
    """Return a difference of percentages, in percentage points, with its sign."""
    text = f"{difference:+.2f}".replace("-", "\N{MINUS SIGN}", 1)
    return f"{text} points"


def recorded(value: Any) -> str:
    """Return a recorded value as a text: numbers shortened, everything else as it is."""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
