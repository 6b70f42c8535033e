"""Requests that change something, and requests that send data along."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from pipeline.web.site import site_of

Form = Mapping[str, str]

# Bytes of a form, and the number of its fields.
_MAX_FORM = 1_000_000
_MAX_FIELDS = 1_000

# Seconds in which the body of a request has to arrive.
_BODY_SECONDS = 30.0


def change(
    handler: Callable[[Request, Form], Response],
) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint of a handler that changes something.

    The request is a form (``application/x-www-form-urlencoded``), also if a script sends it, with
    the value of `Site.csrf_token` in the field ``csrf`` or the header ``X-CSRF-Token``. The handler
    runs in a thread, so it may use the registry and files.
    """

    async def endpoint(request: Request) -> Response:
        form = await read_form(request)
        token = request.headers.get("X-CSRF-Token") or form.get("csrf", "")
        if not site_of(request).has_csrf_token(request, token):
            raise HTTPException(403, "The page is older than the server. Reload it, and try again.")
        return await run_in_threadpool(handler, request, form)

    return endpoint


async def read_form(request: Request) -> Form:
    """Return the fields of a form; of several with one name, the last.

    Raises
    ------
    HTTPException
        If it is too large, or no form.
    """
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise HTTPException(415, "Expected a form.")
    body = await read_body(request, _MAX_FORM)
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_MAX_FIELDS))
    except ValueError:  # not UTF-8, or too many fields
        raise HTTPException(400, "The form cannot be read.") from None


async def read_body(request: Request, limit: int) -> bytes:
    """Return the body of a request.

    Raises
    ------
    HTTPException
        If it has more than `limit` bytes, or takes too long.
    """
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for part in request.stream():
                size += len(part)
                if size > limit:
                    raise HTTPException(413, f"At most {limit:,} bytes are taken.")
                parts.append(part)
    except TimeoutError:
        raise HTTPException(408, f"It did not arrive in {_BODY_SECONDS:.0f} s.") from None
    return b"".join(parts)
