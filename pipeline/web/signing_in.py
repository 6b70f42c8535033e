"""The page where a visitor gives the token, if one is needed."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from pipeline.web.changes import Form, change
from pipeline.web.rendering import render
from pipeline.web.safety import SIGN_IN, SIGN_OUT
from pipeline.web.site import SESSION, site_of


def sign_in_page(request: Request) -> Response:
    """Ask for the token."""
    if site_of(request).is_signed_in(request):
        return RedirectResponse("/", 303)
    return render(request, "sign_in.html.j2", wrong=False)


def sign_in(request: Request, form: Form) -> Response:
    """Start a session, if the token is right."""
    session = site_of(request).sign_in(form.get("token", ""))
    if session is None:
        return render(request, "sign_in.html.j2", status=403, wrong=True)
    answer = RedirectResponse("/", 303)
    answer.set_cookie(
        SESSION, session, httponly=True, samesite="strict", secure=request.url.scheme == "https"
    )
    return answer


def sign_out(_request: Request, _form: Form) -> Response:
    """End the session of this browser."""
    answer = RedirectResponse(SIGN_IN, 303)
    answer.delete_cookie(SESSION)
    return answer


routes = [
    Route(SIGN_IN, sign_in_page),
    Route(SIGN_IN, change(sign_in), methods=["POST"]),
    Route(SIGN_OUT, change(sign_out), methods=["POST"]),
]
