"""Errors as answers: a page for people, JSON for programs."""

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

import nn
import pipeline.errors
import registry
from pipeline.web.rendering import render

# The first class that fits counts, so a subclass stands before its base class.
_STATUS: tuple[tuple[type[Exception], int], ...] = (
    (registry.NotFoundError, 404),
    (registry.InvalidArgumentError, 400),
    (registry.ConflictError, 409),
    (registry.UnavailableError, 503),
    (registry.RegistryError, 500),
    (pipeline.errors.InvalidParameterError, 400),
    (pipeline.errors.InputError, 400),
    (pipeline.errors.PipelineError, 500),
    (nn.InvalidParameterError, 400),
    (nn.NetworkError, 500),
)

EXPECTED = (registry.RegistryError, pipeline.errors.PipelineError, nn.NetworkError)
"""The errors that the packages raise on purpose."""

_TITLES = {
    400: "That cannot be understood",
    401: "Sign in first",
    403: "That is not allowed",
    404: "Not found",
    405: "That is not possible here",
    409: "That is not possible now",
    413: "That is too large",
    421: "Another server is meant",
    503: "The registry cannot be reached",
}


def status_of(error: Exception) -> int:
    """Return the HTTP status of an expected error."""
    return next((status for kind, status in _STATUS if isinstance(error, kind)), 500)


def failure(request: Request, status: int, message: str) -> Response:
    """Return the answer to a request that fails, with a message."""
    if request.url.path.startswith("/api/"):
        return JSONResponse({"error": {"status": status, "message": message}}, status)
    title = _TITLES.get(status, "Something went wrong")
    return render(request, "error.html.j2", status=status, title=title, message=message)


async def expected_failure(request: Request, error: Exception) -> Response:
    """Return the answer to a request that fails with an expected error."""
    return failure(request, status_of(error), str(error))


async def http_failure(request: Request, error: Exception) -> Response:
    """Return the answer to a request that Starlette or a page refuses."""
    if not isinstance(error, HTTPException):
        raise error
    message = str(error.detail)
    if error.status_code == 404 and message == "Not Found":
        message = f"There is no page {request.url.path[:200]}."
    answer = failure(request, error.status_code, message)
    answer.headers.update(error.headers or {})
    return answer
