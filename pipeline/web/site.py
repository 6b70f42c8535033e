"""What all pages share: the settings, the registry, and what a visitor may do."""

import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, TypeVar

from anyio import CapacityLimiter
from starlette.requests import Request

from pipeline.models import open_registry
from pipeline.settings import Settings
from registry import Registry

SESSION = "digits_session"
"""The cookie of a visitor who has signed in."""

# Images of requests that are decoded at a time. Each may have up to 100 megapixels; others wait.
_IMAGES_AT_A_TIME = 2

# Results that are remembered.
_REMEMBERED = 100

T = TypeVar("T")

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})


@dataclass(frozen=True, slots=True)
class Access:
    """Who may reach the pages, and what they may do."""

    token: str | None = None
    """What a visitor must know; None if everybody who reaches the pages may see them."""
    names: frozenset[str] = frozenset()
    """Names in an address under which the pages are reached, beside those of this machine."""
    any_address: bool = False
    """Whether every IP address is such a name: the pages are served on more than loopback."""
    read_only: bool = False
    """Whether nothing may be changed."""

    def is_known_host(self, host: str) -> bool:
        """Return whether the Host header of a request names this server.

        Another name means that somebody has made their own name resolve to this address (DNS
        rebinding). That is impossible with an IP address.
        """
        name = host.strip().lower()
        if not name.endswith("]"):
            name = name.rpartition(":")[0] or name
        return name in _LOOPBACK | self.names or (self.any_address and _is_address(name))


class Site:
    """What all pages share.

    Parameters
    ----------
    settings : Settings
    access : Access, optional
        By default the pages are reached under the loopback address only, and allow changes.
    """

    def __init__(self, settings: Settings, access: Access | None = None) -> None:
        self.settings = settings
        self.access = access or Access()
        self.image_limiter = CapacityLimiter(_IMAGES_AT_A_TIME)
        """Bounds the memory that decoding takes."""
        self._secret = secrets.token_bytes(32)
        self._registry: Registry | None = None
        self._lock = threading.Lock()
        self._remembered: dict[Hashable, tuple[Hashable, Any]] = {}

    @property
    def registry(self) -> Registry:
        """The registry, opened when it is first needed; it may be used from several threads.

        Raises
        ------
        registry.NoRegistryError
            If there is none yet.
        """
        with self._lock:
            if self._registry is None:
                self._registry = open_registry(self.settings, create=False)
            return self._registry

    def close(self) -> None:
        """Close the registry."""
        with self._lock:
            if self._registry is not None:
                self._registry.close()
                self._registry = None

    def remember(self, key: Hashable, stamp: Hashable, compute: Callable[[], T]) -> T:
        """Return what `compute` returns, or returned before when the stamp was the same.

        Parameters
        ----------
        key : hashable
            What is computed.
        stamp : hashable
            Changes whenever the result may.
        compute : callable
        """
        known = self._remembered.get(key)
        if known is None or known[0] != stamp:
            known = (stamp, compute())
            with self._lock:
                self._remembered.pop(key, None)
                self._remembered[key] = known
                if len(self._remembered) > _REMEMBERED:
                    del self._remembered[next(iter(self._remembered))]
        result: T = known[1]
        return result

    def sign_in(self, token: str) -> str | None:
        """Return a session for the right token, as the value of a cookie; None for another."""
        if self.access.token is None or not _is_equal(token, self.access.token):
            return None
        session = secrets.token_urlsafe(16)
        return f"{session}.{self._mark('session', session)}"

    def is_signed_in(self, request: Request) -> bool:
        """Return whether a request may see the pages: by its cookie, or by a Bearer token."""
        if self.access.token is None:
            return True
        kind, _, token = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() == "bearer" and _is_equal(token.strip(), self.access.token):
            return True
        session, _, mark = request.cookies.get(SESSION, "").partition(".")
        return bool(session) and _is_equal(mark, self._mark("session", session))

    def csrf_token(self, request: Request) -> str:
        """Return what a request that changes something must send along.

        Pages of other origins can make a browser send a request, but cannot read this value.
        """
        return self._mark("csrf", request.cookies.get(SESSION, ""))

    def has_csrf_token(self, request: Request, token: str) -> bool:
        """Return whether a request sends along the value of `csrf_token`."""
        return _is_equal(token, self.csrf_token(request))

    def _mark(self, purpose: str, text: str) -> str:
        return hmac.new(self._secret, f"{purpose}:{text}".encode(), hashlib.sha256).hexdigest()


def site_of(request: Request) -> Site:
    """Return the site that a request was sent to."""
    site: Site = request.app.state.site
    return site


def _is_equal(first: str, second: str) -> bool:
    # In a time that does not depend on where they differ.
    return hmac.compare_digest(first.encode(), second.encode())


def _is_address(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
