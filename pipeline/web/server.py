"""The server of the pages: where it listens, and who may reach it."""

import asyncio
import contextlib
import socket
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

import httpx
import uvicorn
from starlette.applications import Starlette

from pipeline.errors import InvalidParameterError, ServerError, SettingsError
from pipeline.settings import Settings
from pipeline.web.app import create_app
from pipeline.web.rendering import ServerLinks, environment
from pipeline.web.site import Access

_MIN_TOKEN = 16
"""Characters of a token, at least: it must not be found by trying."""

# Requests that are answered at a time; others get the status 503.
_MAX_REQUESTS = 100

# Seconds that an idle connection is kept, and that requests have to end when the server stops.
_IDLE_SECONDS = 10
_STOP_SECONDS = 3

# Bytes of the headers of a request.
_MAX_HEADERS = 32_768


@dataclass(frozen=True, slots=True)
class Listening:
    """Where the server listens."""

    host: str = "127.0.0.1"
    port: int = 8428
    names: tuple[str, ...] = ()
    """Further names under which the pages are reached, such as that of a proxy."""
    certificate: Path | None = None
    """File of the TLS certificate, in PEM."""
    key: Path | None = None
    """File of its private key, in PEM."""

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine reaches the pages."""
        if self.names:
            return False
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False

    @property
    def address(self) -> str:
        """Where the first page is."""
        scheme = "https" if self.certificate else "http"
        host = socket.gethostname() if self.host in {"0.0.0.0", "::"} else self.host
        return f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}/"

    @property
    def warning(self) -> str | None:
        """What may be wrong with it, in a sentence."""
        if self.is_loopback or self.certificate:
            return None
        return (
            "Without TLS, whoever can read the network can read the token and the pages. Give "
            "--certificate and --key, or let a proxy with TLS be the only one to reach this port."
        )


def access_to(listening: Listening, settings: Settings, *, read_only: bool) -> Access:
    """Return who may reach the pages.

    Raises
    ------
    SettingsError
        If other machines reach the pages, and there is no token or a short one.
    """
    token = settings.ui_token
    if token is None and not listening.is_loopback:
        raise SettingsError(
            "DIGITS_UI_TOKEN: expected a token, since other machines reach the pages. "
            'Make one: python3 -c "import secrets; print(secrets.token_urlsafe())".'
        )
    if token is not None and len(token) < _MIN_TOKEN:
        raise SettingsError(f"DIGITS_UI_TOKEN: expected at least {_MIN_TOKEN} characters.")
    this_machine = () if listening.is_loopback else (socket.gethostname(), socket.getfqdn())
    names = (*this_machine, listening.host, *listening.names)
    return Access(
        token=token,
        names=frozenset(name.lower() for name in names),
        any_address=not listening.is_loopback,
        read_only=read_only,
    )


def serve(
    listening: Listening,
    settings: Settings,
    *,
    read_only: bool = False,
    on_start: Callable[[], None],
) -> None:
    """Serve the pages until the process is stopped.

    Parameters
    ----------
    listening : Listening
    settings : Settings
    read_only : bool, optional
        Show everything, and change nothing.
    on_start : callable
        Called when the server listens.

    Raises
    ------
    SettingsError
        If other machines reach the pages, and there is no token or a short one.
    InvalidParameterError
        If only one of certificate and key is given.
    ServerError
        If the server cannot listen there.
    """
    if (listening.certificate is None) != (listening.key is None):
        raise InvalidParameterError("certificate", "a certificate and its key", "one of them")
    access = access_to(listening, settings, read_only=read_only)
    app = create_app(settings, access)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            # A proxy says where a request came from, which nothing here asks for.
            proxy_headers=False,
            limit_concurrency=_MAX_REQUESTS,
            timeout_keep_alive=_IDLE_SECONDS,
            timeout_graceful_shutdown=_STOP_SECONDS,
            h11_max_incomplete_event_size=_MAX_HEADERS,
            ssl_certfile=listening.certificate,
            ssl_keyfile=listening.key,
        )
    )
    # On Ctrl-C, Uvicorn stops in order and then raises it again.
    with _listen(listening) as listener, contextlib.suppress(KeyboardInterrupt):
        asyncio.run(warm_up(app, access.token))
        on_start()
        server.run([listener])


async def warm_up(app: Starlette, token: str | None = None) -> None:
    """Make each main page once, so that no visitor waits for imports, templates or the database.

    A page that fails does so again when it is asked for.
    """
    templates = environment()
    for name in templates.list_templates():
        templates.get_template(name)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False),
        base_url="http://127.0.0.1",
        headers={"Authorization": f"Bearer {token}"} if token else None,
    ) as client:
        for path, _ in ServerLinks.navigation:
            await client.get(path)


def _listen(listening: Listening) -> socket.socket:
    """Return a socket that listens: a port that is taken is told before anything else starts."""
    family = socket.AF_INET6 if ":" in listening.host else socket.AF_INET
    try:
        return socket.create_server((listening.host, listening.port), family=family)
    except OSError as error:
        raise ServerError(
            f"Cannot listen on {listening.host}, port {listening.port} ({error.strerror}). "
            "--port takes another port."
        ) from None
