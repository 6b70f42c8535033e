"""What guards every page: the Host header, signing in, same-origin requests, and headers.

The checks are made before a request reaches a page, so no page can forget one.
"""

import logging
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.web.failures import failure
from pipeline.web.site import Site

_log = logging.getLogger(__name__)

SIGN_IN = "/sign-in"
"""The page where a visitor gives the token."""

SIGN_OUT = "/sign-out"

TRY = "/try"
"""The page that is asked about an image."""

PREDICT = "/api/predict"
"""The part of the API that is asked about an image."""

# Methods that change nothing.
_SAFE_METHODS = frozenset({"GET", "HEAD"})

# These change nothing although their method is POST.
_ASKING = frozenset({PREDICT, TRY, SIGN_IN, SIGN_OUT})

# Everything comes from this server; no page of another may embed these.
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; "
    "img-src 'self' data: blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """Lets only those requests through that a page may answer.

    Parameters
    ----------
    app : ASGI application
    site : Site
    """

    def __init__(self, app: ASGIApp, site: Site) -> None:
        self._app = app
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal is_started
            if message["type"] == "http.response.start":
                is_started = True
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        request = Request(scope)
        answer = self._refusal(request) or self._app
        try:
            await answer(scope, receive, send_with_headers)
        except Exception:
            if is_started:
                raise
            # The log only: the reason may hold what is not meant for every visitor.
            _log.exception("%s %s failed.", request.method, request.url.path)
            answer = failure(request, 500, "The log of `digits ui` has the reason.")
            await answer(scope, receive, send_with_headers)

    def _refusal(self, request: Request) -> ASGIApp | None:
        """Return the answer to a request that no page may see; None if there is none."""
        access = self._site.access
        host = request.headers.get("Host", "")
        if not access.is_known_host(host):
            return failure(request, 421, f"This server is not {host[:100]!r}.")
        path = request.url.path
        if request.method not in _SAFE_METHODS:
            if not _is_same_origin(request, host, unless_said=path.startswith("/api/")):
                return failure(request, 403, "The request comes from another site.")
            if access.read_only and path not in _ASKING:
                return failure(request, 403, "Nothing can be changed: these pages are read-only.")
        if path == SIGN_IN or path.startswith("/static/") or self._site.is_signed_in(request):
            return None
        if path.startswith("/api/"):
            return failure(request, 401, "Send the header Authorization: Bearer TOKEN.")
        return RedirectResponse(SIGN_IN, 303)


def _is_same_origin(request: Request, host: str, *, unless_said: bool) -> bool:
    """Return whether a page of this server sent a request, as far as the browser says it.

    Parameters
    ----------
    request : Request
    host : str
        The Host header.
    unless_said : bool
        The answer if nothing is said: a program sent the request, or an old browser.
    """
    origin = request.headers.get("Origin")
    if origin is not None:
        return urlsplit(origin).netloc.lower() == host.lower()
    site = request.headers.get("Sec-Fetch-Site")
    return unless_said if site is None else site in {"same-origin", "none"}
