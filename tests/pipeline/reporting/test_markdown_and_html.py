"""The reports of a retraining, also with hostile text in its names."""

import base64
import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from nn import Epoch
from pipeline.data.labelled import Collection, Conflict
from pipeline.gate.judging import Verdict
from pipeline.gate.panels import PanelEvaluation
from pipeline.metrics.evaluation import Evaluation, Mistake
from pipeline.reporting.html import retraining_html
from pipeline.reporting.markdown import retraining_markdown
from pipeline.reporting.rows import check_rows
from pipeline.reporting.tables import retraining_card
from pipeline.training.candidates import Candidate
from pipeline.training.outcome import Refused, Registered
from registry import Check, ModelVersion

pytestmark = pytest.mark.usefixtures("home")

SHA256 = "63f9699fecc89f4a5910b941b0c0b88f2ab949d6af30544d53311017e646891b"
PASSED = Check("validation_accuracy", 0.9899, 0.97, passed=True)
FAILED = Check("not_worse_than_champion", 0.9899, 0.9934, passed=False)
HISTORY = tuple(Epoch(n, 1 / n, 0.9, 1.2 / n, 1 - 0.1 / n, 0.1, 1.0) for n in range(1, 4))
HOSTILE = "<script src='http://evil'>alert(1)</script>|\"&\n\x1b[31m"


def _evaluation(location="validation image 17"):
    confusion = [[0] * 10 for _ in range(10)]
    confusion[7][7], confusion[7][2] = 98, 1
    mistake = Mistake(bytes(784), 7, 2, 0.98, location)
    return Evaluation(tuple(map(tuple, confusion)), (mistake,), bytes([1] * 98 + [0]))


def _retraining(text="relu", *, history=HISTORY, refused=False):
    metrics = {"validation_accuracy": 0.9899, "test_accuracy": 0.9912}
    params = {"activation": text, text: 1, "distortion": {"alpha": 24.0}}
    inputs = {"train_images": "ba89" * 16}
    version = ModelVersion(
        name="mnist",
        number=7,
        state="ready",
        sha256=SHA256,
        size=941_616,
        metrics=metrics,
        params=params,
        tags={},
        inputs=inputs,
        environment={"numpy": text},
        gate=(PASSED,),
        aliases=("champion",),
        parent="mnist/6",
        code_version="0.1.0",
        run_id=text,
        created_at=datetime(2026, 11, 24, 21, 23, 29, tzinfo=UTC),
        created_by=text,
    )
    evaluation = _evaluation("validation image 17" if text == "relu" else text)
    verdict = Verdict(
        (PASSED, FAILED) if refused else (PASSED,),
        champion="mnist/6",
        validation=PanelEvaluation(evaluation, evaluation),
        held_out=PanelEvaluation(
            replace(evaluation, correct=b"\1\0"), replace(evaluation, correct=b"\1\0\0\0")
        ),
        profile={},
    )
    shared = (
        text,
        Candidate(Path("candidate"), SHA256, metrics, params, inputs, history),
        verdict,
        Path("runs"),
        Collection(None, 8, 2, 1, 3, {text: 4}, (Conflict((1, 7), (text, "b.png")),)),
    )
    return Refused(*shared) if refused else Registered(*shared, version)


class _Page(HTMLParser):
    """Parses a page into elements and text, and checks that the elements are nested."""

    ALONE = frozenset({"meta", "img"})

    def __init__(self, page):
        super().__init__()
        self.open, self.elements, self.rows, self.text = [], [], [], ""
        self.feed(page)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in self.ALONE:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if "tr" in self.open:
            self.rows[-1][-1] += data

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def test_the_page_shows_the_outcome_the_metrics_and_the_inputs():
    page = _Page(retraining_html(_retraining()))
    assert "mnist/7 promoted" in page.text
    for row in (
        ["validation_accuracy", "0.9899", "≥ 0.9700", "passed"],
        ["weights, SHA-256", SHA256],
        ["aliases", "champion"],
        ["test_accuracy", "0.9912"],
        ["distortion.alpha", "24.0"],
        ["train_images", "ba89" * 16],
        ["numpy", "relu"],
        ["7", "2", "0.9800", "validation image 17"],
        ["held_out_accuracy", "0.5000"],
        ["held-out accuracy", "0.5000"],
        ["held-out accuracy of mnist/6", "0.2500"],
        ["not used: relu", "4"],
        ["1, 7", "relu, b.png"],
    ):
        assert row in page.rows
    assert [image["alt"] for image in page.all("img")] == [
        "Learning curves",
        "Confusion matrix",
        "Worst mistakes",
    ]


def test_the_page_of_a_refusal_highlights_the_failed_check():
    page = _Page(retraining_html(_retraining(refused=True)))
    assert "Candidate refused" in page.text
    assert "not_worse_than_champion 0.9899 < 0.9934. The champion stays." in page.text
    assert [row["class"] for row in page.all("tr") if "class" in row] == ["passed", "failed"]


@pytest.mark.parametrize("refused", [False, True])
def test_the_page_is_well_formed_and_loads_nothing_also_with_hostile_names(refused):
    page = retraining_html(_retraining(HOSTILE, refused=refused))
    parsed = _Page(page)
    assert {tag for tag, _ in parsed.elements} <= {
        *("html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "span", "code"),
        *("table", "tr", "th", "td", "img", "details", "summary"),
    }
    assert parsed.rows.count(["activation", HOSTILE]) == 1
    assert ["7", "2", "0.9800", HOSTILE] in parsed.rows
    for _, attributes in parsed.elements:
        assert not attributes.keys() & {"href", "srcset", "onclick", "onerror", "onload"}
        assert attributes.get("src", "data:").startswith("data:")
    assert "url(" not in page
    assert "@import" not in page


def test_the_page_embeds_the_bytes_of_its_pictures():
    from pipeline.reporting.pictures import confusion_picture

    evaluation = _evaluation()
    page = retraining_html(_retraining())
    (source,) = (i["src"] for i in _Page(page).all("img") if i["alt"] == "Confusion matrix")
    encoded = re.fullmatch(r"data:image/svg\+xml;base64,(.*)", source)[1]
    assert base64.b64decode(encoded) == confusion_picture(evaluation.confusion)


def test_equal_runs_have_equal_pages():
    first, second = (retraining_html(_retraining()) for _ in range(2))
    assert first == second


def test_the_markdown_embeds_its_pictures_and_names_the_version():
    text = retraining_markdown(_retraining())
    assert "# Retraining: `mnist/7` promoted" in text
    assert "`digits show mnist/7`" in text
    assert "| validation_accuracy | 0.9899 | ≥ 0.9700 | passed |" in text
    found = re.findall(
        r"^!\[(.+)\]\(data:image/(.+);base64,([A-Za-z0-9+/=]+)\)$", text, re.MULTILINE
    )
    assert [(title, kind) for title, kind, _ in found] == [
        ("Learning curves", "svg+xml"),
        ("Confusion matrix", "svg+xml"),
        ("Worst mistakes", "png"),
    ]


def test_the_markdown_of_a_refusal_names_no_version_and_marks_what_failed():
    text = retraining_markdown(_retraining(refused=True))
    assert "# Retraining: the candidate refused" in text
    assert "| not_worse_than_champion | 0.9899 | ≥ 0.9934 | **failed** |" in text
    assert "digits show" not in text


def test_a_name_cannot_end_a_row_of_the_markdown():
    text = retraining_markdown(_retraining("a|b\nc"))
    assert "| activation | `a\\|b c` |" in text


def _printed(renderable, width=80):
    console = Console(width=width)
    with console.capture() as capture:
        console.print(renderable)
    return [line.rstrip() for line in capture.get().splitlines()]


def test_the_card_fits_on_one_screen():
    card = retraining_card(_retraining())
    lines = _printed(card)
    assert lines[0] == "mnist/7 promoted"
    for words in (
        ["validation_accuracy", "0.9899", "≥", "0.9700", "passed"],
        ["test_accuracy", "0.9912"],
        ["loss", "by", "epoch", "1.0000", "█▄▁", "0.3333"],
        ["validation", "error", "10.00", "%", "█▄▁", "3.33", "%"],
        ["7", "·", "·", "1", "·", "·", "·", "·", "98", "·", "·"],
        ["worst", "mistakes,", "1", "of", "1"],
        ["7", "2", "0.9800", "validation", "image", "17"],
    ):
        assert words in [line.split() for line in lines]
    assert len(lines) < 40


@pytest.mark.parametrize(
    ("figure", "threshold", "passed", "required"),
    [
        (0.99, 0.97, True, "≥ 0.9700"),
        (0.95, 0.97, False, "≥ 0.9700"),
        (0.01, 0.05, True, "≤ 0.0500"),
        (0.09, 0.05, False, "≤ 0.0500"),
    ],
)
def test_a_check_says_on_which_side_its_figure_must_be(figure, threshold, passed, required):
    verdict = replace(_retraining().verdict, checks=(Check("a", figure, threshold, passed=passed),))
    assert [row.threshold for row in check_rows(verdict)] == [required]


def test_the_card_shows_which_check_failed():
    lines = _printed(retraining_card(_retraining(refused=True)))
    assert lines[0] == "Refused by the gate"
    assert ["not_worse_than_champion", "0.9899", "≥", "0.9934", "failed"] in [
        line.split() for line in lines
    ]


@pytest.mark.parametrize("accuracy", [0.9, 1.0])
def test_the_curves_of_a_long_training_fit_the_terminal(accuracy):
    history = tuple(Epoch(n, 1 / n, 0.9, 0.1, accuracy, 0.1, 1.0) for n in range(1, 301))
    lines = _printed(retraining_card(_retraining(history=history)), width=80)
    (loss,) = (line for line in lines if line.startswith(" loss by epoch"))
    assert re.search(r" 1\.0000 █[▁-█]{28}▁ 0\.0033$", loss)
    (wrong,) = (line for line in lines if line.startswith(" validation error"))
    assert re.search(r"% ▁{30} ", wrong)


def test_control_characters_in_a_name_do_not_reach_the_terminal():
    card = retraining_card(_retraining("a\x1b[31mb [bold]c"))
    (line,) = (line for line in _printed(card) if line.split()[:2] == ["7", "2"])
    assert line.endswith("a[31mb [bold]c")
