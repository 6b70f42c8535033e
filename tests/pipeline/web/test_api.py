"""The HTTP API, against its own description and against the command line."""

import base64
import json
import re
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from starlette.routing import Route

from pipeline import open_registry
from pipeline.images.decoding import decode
from pipeline.images.encoding import png
from pipeline.settings import load_settings
from pipeline.web import api, openapi
from pipeline.web.app import create_app
from registry import RunRecord

HOST = {"Host": "127.0.0.1"}


@pytest.fixture
def second_version(version):
    with open_registry() as registry:
        registry.register("mnist", b"no network", RunRecord(parent="mnist/1", gate=version.gate))
        registry.describe("mnist/2", "no network")
    return version


@pytest.mark.parametrize(
    ("path", "command"),
    [
        ("/api/models", ("models",)),
        ("/api/versions", ("versions",)),
        ("/api/versions?where=number > 1&sort=number asc", ("versions", "--where", "number > 1")),
        ("/api/versions/mnist/champion", ("show", "@champion")),
        ("/api/versions/mnist/2", ("show", "2")),
        ("/api/history/mnist", ("history",)),
        ("/api/history/mnist?alias=champion", ("history", "--alias", "champion")),
        ("/api/proposals/mnist", ("proposals",)),
        ("/api/compare?first=1&second=mnist/1", ("compare", "1", "mnist/1")),
    ],
)
def test_the_api_gives_what_the_command_line_prints(pages, second_version, digits, path, command):
    assert pages.get(path).json() == json.loads(digits(*command, "--json").out)


def test_a_long_list_is_read_by_its_links(pages, second_version):
    numbers, address = [], "/api/versions?limit=1&model=mnist"
    while address:
        answer = pages.get(address)
        numbers += [version["number"] for version in answer.json()]
        address = answer.links.get("next", {}).get("url")
    assert numbers == [2, 1]


def test_weights_are_served_by_their_digest(pages, version):
    answer = pages.get(f"/api/weights/{version.sha256}")
    with open_registry() as registry:
        assert answer.content == registry.load("mnist/1")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    assert pages.get(f"/api/weights/{'0' * 64}").status_code == 404


def test_damaged_weights_are_not_served(pages, version, home):
    (file,) = (path for path in (home / "blobs").rglob("*") if version.sha256 in path.name)
    file.chmod(0o600)
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    answer = pages.get(f"/api/weights/{version.sha256}")
    assert answer.status_code == 500
    assert "damaged" in answer.json()["error"]["message"]


def test_an_image_is_read_as_scoring_reads_it(pages, retrained):
    import mnist_sample

    from pipeline import Classifier
    from pipeline.data import parquet

    test = parquet.read(load_settings().data / "test.parquet", mnist_sample.SAMPLE.test)
    image = png(test.images[0])
    answer = pages.post("/api/predict", content=image).json()
    prediction = Classifier.load("@champion").read(image)
    assert answer["digit"] == prediction.digit
    assert answer["probabilities"] == prediction.probabilities.tolist()
    assert answer["version"] == "mnist/1"
    nothing = pages.post("/api/predict", content=b"no image").json()
    assert nothing["digit"] is None
    assert nothing["reason"] == "not an image"
    shown = pages.post("/try?first=@champion&second=mnist/1", content=image)
    assert shown.text.count("data-digit") == 2
    assert "No digit" in pages.post("/try?first=1", content=b"no image").text


def test_no_image_is_larger_than_the_limit(pages, version, monkeypatch):
    monkeypatch.setattr("pipeline.web.classifying._MAX_IMAGE", 1000)
    assert pages.post("/api/predict", content=bytes(1000)).status_code == 200
    answer = pages.post("/api/predict", content=bytes(1001))
    assert answer.status_code == 413
    assert "1,000 bytes" in answer.json()["error"]["message"]


def test_an_image_is_shown_only_after_it_was_encoded_anew(pages, version):
    pixels = np.full((300, 400), 255, np.uint8)
    pixels[60:240, 180:220] = 0
    image = png(pixels)
    # What a viewer of another program might run, in a part of the file that no decoder needs.
    hidden = b"<script>alert(1)</script>"
    shown = pages.post("/try?first=1", content=image + hidden).text
    pictures = [
        base64.b64decode(part) for part in re.findall(r"data:image/png;base64,([^\"]+)", shown)
    ]
    assert len(pictures) >= 2
    for picture in pictures:
        assert hidden not in picture
        assert max(decode(picture).shape) <= 200


def test_other_sites_cannot_ask(pages, version):
    answer = pages.post("/api/predict", content=b"x", headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403


def test_every_route_of_the_api_is_described():
    described = {(operation.path, operation.method) for operation in openapi.OPERATIONS}
    served = {
        (route.path, method)
        for route in api.routes
        if isinstance(route, Route)
        for method in route.methods - {"HEAD"}
    }
    assert served - described == {("/api", "GET"), (openapi.PATH, "GET")}
    assert described <= served


def test_the_page_about_the_api_names_every_operation(pages):
    text = pages.get("/api").text
    for operation in openapi.OPERATIONS:
        assert operation.path in text


def test_the_api_answers_as_it_is_described(second_version, torture):
    """Whatever a request holds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # It takes seconds to import.
        import schemathesis
        from schemathesis.checks import not_a_server_error
        from schemathesis.specs.openapi import checks
    checked = [
        not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_schema_conformance,
    ]
    app = create_app(load_settings())
    described = schemathesis.openapi.from_asgi(openapi.PATH, app, headers=HOST)
    # A sample by default.
    for operation in openapi.OPERATIONS if torture else (openapi.VERSIONS, openapi.PREDICTION):

        @settings(max_examples=500 if torture else 5)
        @given(described[operation.path][operation.method].as_strategy())
        def answers(case):
            case.call_and_validate(headers=HOST, checks=checked)

        answers()
