"""Asking a Prefect server over HTTP."""

from typing import Any

import requests
from processes import LIMIT, until

_UNAVAILABLE = 503


def post(url: str, query: dict[str, Any]) -> Any:
    """Return the answer to a request, however often the server's database is too busy for it."""

    def answer() -> list[requests.Response]:
        response = requests.post(url, json=query, timeout=LIMIT)
        return [] if response.status_code == _UNAVAILABLE else [response]

    (response,) = until(answer)
    response.raise_for_status()
    return response.json() if response.content else None
