"""What guards every page."""

import asyncio
import signal
import socket

import pytest
import requests

from pipeline.errors import SettingsError
from pipeline.settings import load_settings
from pipeline.web.app import create_app
from pipeline.web.rendering import environment
from pipeline.web.server import Listening, access_to, warm_up
from pipeline.web.site import Access

TOKEN = "a token that nobody guesses"


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "evil.example:80", ""])
def test_another_host_is_refused(pages, host):
    answer = pages.get("/", headers={"Host": host})
    assert answer.status_code == 421


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1:8428", "[::1]:8428", "LOCALHOST:1"])
def test_every_name_of_loopback_is_known(pages, host):
    assert pages.get("/", headers={"Host": host}).status_code == 200


def test_a_page_loads_nothing_from_elsewhere_and_cannot_be_embedded(pages):
    for path in ("/", "/nowhere", "/static/style.css"):
        policy = pages.get(path).headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert pages.get(path).headers["X-Content-Type-Options"] == "nosniff"
    assert pages.get("/").headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_change_that_another_site_asks_for_is_refused(pages, headers):
    del pages.headers["Sec-Fetch-Site"]
    form = {"csrf": pages.app.state.site._mark("csrf", "")}
    assert pages.post("/sign-out", data=form, headers=headers).status_code == 403
    assert pages.post("/sign-out", data=form).status_code == 403
    assert pages.post("/sign-out", data=form, headers={"Origin": "http://127.0.0.1"}).is_redirect


@pytest.mark.parametrize("form", [{}, {"csrf": ""}, {"csrf": "wrong"}, {"csrf": "ü"}])
def test_a_change_needs_the_token_of_the_page(pages, form):
    answer = pages.post("/sign-out", data=form)
    assert answer.status_code == (403 if form else 415)


def test_other_machines_reach_the_pages_only_with_a_token(home, monkeypatch):
    for listening in (Listening("0.0.0.0"), Listening(names=("digits.example",))):
        with pytest.raises(SettingsError, match="DIGITS_UI_TOKEN"):
            access_to(listening, load_settings(), read_only=False)
        assert "TLS" in listening.warning
    assert Listening().warning is None
    monkeypatch.setenv("DIGITS_UI_TOKEN", "short")
    with pytest.raises(SettingsError, match="16 characters"):
        access_to(Listening(), load_settings(), read_only=False)
    monkeypatch.setenv("DIGITS_UI_TOKEN", TOKEN)
    access = access_to(Listening("0.0.0.0"), load_settings(), read_only=False)
    assert access.token == TOKEN
    assert access.is_known_host("192.0.2.7:8428")
    assert not access.is_known_host("evil.example")
    assert TOKEN not in repr(load_settings())


def test_nothing_is_seen_without_the_token(open_pages):
    pages = open_pages(Access(token=TOKEN))
    assert pages.get("/").headers["Location"] == "/sign-in"
    assert pages.get("/api/versions").status_code == 401
    form = {"csrf": pages.app.state.site._mark("csrf", "")}
    assert pages.post("/sign-in", data={**form, "token": "another"}).status_code == 403
    assert pages.get("/").is_redirect
    signed_in = pages.post("/sign-in", data={**form, "token": TOKEN})
    assert signed_in.is_redirect
    assert "HttpOnly; Path=/; SameSite=strict" in signed_in.headers["Set-Cookie"]
    assert TOKEN not in signed_in.headers["Set-Cookie"]
    assert pages.get("/").status_code == 200
    pages.cookies.clear()
    assert pages.get("/", headers={"Authorization": f"Bearer {TOKEN}"}).status_code == 200
    assert pages.get("/", headers={"Authorization": "Bearer other"}).is_redirect
    assert pages.get("/", headers={"Cookie": "digits_session=forged.mark"}).is_redirect


def test_read_only_pages_change_nothing(open_pages):
    pages = open_pages(Access(read_only=True))
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        assert pages.request(method, "/versions/mnist/1/promote").status_code == 403


@pytest.mark.parametrize("name", ["../app.py", "%2e%2e%2fapp.py", "..%5capp.py", "app.py", ""])
def test_no_path_reaches_the_file_system(pages, name):
    assert pages.get(f"/static/{name}").status_code == 404


def test_no_form_is_larger_than_the_limit(pages, monkeypatch):
    monkeypatch.setattr("pipeline.web.changes._MAX_FORM", 1_000)
    answer = pages.post("/sign-out", data={"csrf": "x" * 1_000})
    assert answer.status_code == 413
    many = {f"field-{number}": "" for number in range(1_001)}
    monkeypatch.setattr("pipeline.web.changes._MAX_FORM", 1_000_000)
    assert pages.post("/sign-out", data=many).status_code == 400


def test_a_request_that_does_not_end_is_given_up(pages, monkeypatch):
    monkeypatch.setattr("pipeline.web.changes._BODY_SECONDS", 0.05)

    async def never(request):
        await asyncio.sleep(60)
        yield b""

    monkeypatch.setattr("starlette.requests.Request.stream", never)
    assert pages.post("/sign-out", data={"csrf": "x"}).status_code == 408


def test_an_unexpected_error_is_told_only_to_the_log(open_pages, monkeypatch, caplog):
    def fail(*_, **__):
        raise RuntimeError("a secret")

    pages = open_pages()
    monkeypatch.setattr("pipeline.web.versions.read_listing", fail)
    answer = pages.get("/versions")
    assert answer.status_code == 500
    assert "a secret" not in answer.text
    assert "Content-Security-Policy" in answer.headers
    assert "a secret" in caplog.text


def test_a_busy_port_is_one_message(digits):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = digits("ui", "--port", taken.getsockname()[1])
    assert ended.status == 1
    assert "--port takes another port" in ended.err


def test_a_certificate_needs_its_key(digits, tmp_path):
    ended = digits("ui", "--certificate", tmp_path / "certificate.pem")
    assert ended.status == 2
    assert "its key" in ended.err


@pytest.mark.parametrize("token", [None, "a-token-of-some-length"])
def test_the_first_visitor_waits_for_nothing_but_the_page(version, token):
    """Templates are compiled and the registry is open, also if only a token opens the pages."""
    environment.cache_clear()
    app = create_app(load_settings(), Access(token=token))
    asyncio.run(warm_up(app, token))
    templates = environment()
    assert len(templates.cache) == len(templates.list_templates())
    assert app.state.site._registry is not None
    app.state.site.close()


def test_a_page_that_fails_keeps_no_server_from_starting(home, monkeypatch, caplog):
    def fail(*_args, **_options):
        raise RuntimeError("broken")

    monkeypatch.setattr("pipeline.web.now.render", fail)
    asyncio.run(warm_up(create_app(load_settings())))
    assert "broken" in caplog.text


def test_the_pages_are_served_until_they_are_stopped(start_digits, home):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = start_digits("ui", "--port", port)
    assert f"127.0.0.1:{port}" in process.stderr.readline()
    answer = requests.get(f"http://127.0.0.1:{port}/", timeout=60)
    assert answer.status_code == 200
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
