import socket
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, sync_playwright

from pipeline.settings import load_settings
from pipeline.web.app import create_app
from pipeline.web.site import Access

with warnings.catch_warnings():
    # Starlette would rather have the successor of HTTPX, which nothing else here needs.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient

CHROMIUM = Path("/usr/bin/chromium")

LOOPBACK = "http://127.0.0.1"


@pytest.fixture
def open_pages(home: Path) -> Iterator[Callable[..., TestClient]]:
    """Return a client of the pages of `home`, as a browser on this machine sends requests."""
    clients = []

    def client(access: Access | None = None) -> TestClient:
        opened = TestClient(create_app(load_settings(), access), LOOPBACK, follow_redirects=False)
        opened.headers["Sec-Fetch-Site"] = "same-origin"
        clients.append(opened)
        return opened.__enter__()

    yield client
    for opened in clients:
        opened.__exit__()


@pytest.fixture
def pages(open_pages: Callable[..., TestClient]) -> TestClient:
    """The pages, with everything allowed."""
    return open_pages()


@pytest.fixture
def serve_pages(home: Path) -> Iterator[Callable[..., str]]:
    """Serve the pages of `home` on a free port, as `digits ui` does; return their address."""
    with ExitStack() as stack:

        def serve(access: Access | None = None) -> str:
            listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            app = create_app(load_settings(), access)
            server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
            thread = threading.Thread(target=server.run, args=([listener],))
            thread.start()
            stack.callback(thread.join)
            stack.callback(setattr, server, "should_exit", True)
            return f"{LOOPBACK}:{listener.getsockname()[1]}"

        yield serve


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium. It ends with the module, since its event loop would be in the way."""
    if not CHROMIUM.exists():
        pytest.skip("Chromium is not installed.")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM)
        yield started
        started.close()


@pytest.fixture
def problems() -> Iterator[list[str]]:
    """What the browser complains of: a test that expects something of it takes it out."""
    found: list[str] = []
    yield found
    assert found == []


@pytest.fixture
def page(browser: Browser, problems: list[str]) -> Iterator[Page]:
    """A page in a browser without cookies or a cache."""
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        opened = context.new_page()
        opened.on("pageerror", lambda error: problems.append(str(error)))
        opened.on(
            "console", lambda said: problems.append(said.text) if said.type == "error" else None
        )
        yield opened
