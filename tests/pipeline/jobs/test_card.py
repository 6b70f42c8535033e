"""The model card of a version."""

import pytest
import yaml

from pipeline import open_registry
from pipeline.scoring.specimens import tiny8

pytestmark = pytest.mark.usefixtures("one_kind")


@pytest.fixture
def one_kind(monkeypatch):
    """The kind of images that is read fastest, which is enough to see its row."""
    monkeypatch.setattr("pipeline.jobs.card.KINDS", {"tiny8": tiny8})


def test_a_card_says_what_was_measured_and_registered(digits, retrained, tmp_path):
    with open_registry() as registry:
        registry.describe("mnist/1", "<script>alert(1)</script> | `first`")
    text = digits("card", "@champion").out
    _, metadata, body = text.split("---\n", 2)
    (result,) = yaml.safe_load(metadata)["model-index"][0]["results"]
    assert result["dataset"]["type"] == "ylecun/mnist"
    accuracy = result["metrics"][0]["value"]
    assert accuracy == pytest.approx(retrained.metrics["test_accuracy"], abs=5e-5)
    assert f"**{accuracy:.2%}**" in body
    for expected in (
        retrained.sha256,
        retrained.inputs["train_images"],
        "| `validation_accuracy` |",
        "one digit per image",
        "| tiny8 |",
        "signature | none",
    ):
        assert expected in body, expected


def test_a_card_is_a_page_in_which_no_text_is_markup(digits, retrained, tmp_path):
    with open_registry() as registry:
        registry.describe("mnist/1", "<script>alert(1)</script> | `first`")
    ended = digits("card", "1", "-o", tmp_path / "card.html")
    assert ended.out == f"The card of mnist/1 is in {tmp_path / 'card.html'}.\n"
    page = (tmp_path / "card.html").read_text()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    assert "<table>" in page


def test_a_file_that_is_there_is_overwritten_only_by_force(digits, retrained, tmp_path):
    file = tmp_path / "README.md"
    file.write_text("mine")
    assert digits("card", "1", "-o", file).status == 2
    assert file.read_text() == "mine"
    assert digits("card", "1", "-o", file, "--force").status == 0
    assert "# mnist/1" in file.read_text()


def test_another_suffix_is_wrong_usage(digits, version, tmp_path):
    assert digits("card", "1", "-o", tmp_path / "card.txt").status == 2
