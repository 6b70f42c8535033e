"""The versions of an MLflow server, in our registry."""

import io
import tarfile

import pytest
from mlflow_answers import FILES, RUN, mlflow_server

from pipeline import open_registry


@pytest.fixture
def address():
    with mlflow_server() as address:
        yield address


def test_versions_come_with_their_record_oldest_first(digits, address):
    ended = digits("import", "--from", "mlflow", f"{address}/old", "--name", "mnist")
    assert ended.status == 0, ended.err
    assert ended.out.splitlines() == ["Added: mnist/1, mnist/2, mnist/3.", "Set: mnist@champion."]
    with open_registry() as registry:
        first, second, third = (registry.get(f"mnist/{number}") for number in (1, 2, 3))
        assert dict(first.tags) == {
            "mlflow.name": "old",
            "mlflow.version": "1",
            "note": "first",
            "team": "ocr",
        }
        assert dict(second.metrics) == {"val/accuracy": 0.91}
        assert dict(second.params) == {"lr": "0.2"}
        assert (second.run_id, second.description) == (RUN, "second try")
        assert second.aliases == ("champion",)
        assert (third.run_id, dict(third.metrics)) == (None, {})
        assert list(registry.verify()) == []
        with tarfile.open(fileobj=io.BytesIO(registry.load("mnist/2"))) as archive:
            content = {name: archive.extractfile(name).read() for name in archive.getnames()}
        assert content == FILES
    (moved, *_) = [each for each in _events() if each.alias == "champion"]
    assert moved.details["reason"] == "imported from MLflow"


def test_an_import_again_adds_nothing_and_moves_nothing(digits, address):
    digits("import", "--from", "mlflow", f"{address}/old")
    before = _events()
    ended = digits("import", "--from", "mlflow", f"{address}/old")
    assert ended.out.splitlines() == ["Added: nothing.", "Already present: old/1, old/2, old/3."]
    assert _events() == before


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("{address}/nope", "Registered Model with name=nope not found"),
        ("http://127.0.0.1:9/old", "cannot be reached"),
        ("old", "expected http://HOST:PORT/NAME"),
    ],
)
def test_what_cannot_be_read_is_one_message(digits, address, place, message):
    ended = digits("import", "--from", "mlflow", place.format(address=address))
    assert ended.status in {1, 2}
    assert message in ended.err


def _events():
    with open_registry() as registry:
        return [event for model in registry.models() for event in registry.history(model.name)]
