"""The pages Now and Batches, and the pages as static files."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape
from html.parser import HTMLParser

import mnist_sample
import numpy as np
import pytest

from pipeline import open_registry, score
from pipeline.data import parquet
from pipeline.errors import OutputError
from pipeline.images.encoding import png
from pipeline.settings import load_settings
from pipeline.web.rendering import ago
from pipeline.web.static_site import MARK, write_site
from registry import AgreedLabels, BatchRecord, DriftFigure, Estimate, RunRecord


def _text(answer):
    """What a page says, without its markup."""
    text = answer if isinstance(answer, str) else answer.text
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", text)))


def _record(version, files=300, *, far=False, **changes):
    return BatchRecord(
        **{
            "version": "mnist/1",
            "sha256": version.sha256,
            "inputs": ("/scans/<b>monday</b>",),
            "output": "/scores/monday",
            "files": files,
            "digits": (files - 20, 0, 10, *(0,) * 6, 7),
            "failures": {"blank image": 2, "not an image": 1},
            "novel": 4,
            "confidence": 0.97,
            "histogram": (0,) * 10 + (1, 2, 3) + (0,) * 6 + (files - 29,),
            "estimate": Estimate(0.97, 0.95, 0.99),
            "drift": (DriftFigure("confidence", 0.5 if far else 0.1, 0.25),),
            **changes,
        }
    )


@pytest.fixture
def batches(version):
    """Three batches of a registry with a champion: the second drifted, the third has labels."""
    labels = AgreedLabels((0, 10), (0, 9), (0.0, 9.5))
    with open_registry() as registry:
        for number, changes in enumerate(({}, {"far": True}, {"labels": labels})):
            registry.record_batch(_record(version, **changes), key=f"{number:064x}")
    return version


def test_now_says_what_is_in_production_why_and_what_was_before(pages, version):
    with open_registry() as registry:
        registry.register(
            "mnist",
            b"2",
            RunRecord(metrics={"validation_accuracy": 0.99126}, gate=version.gate),
        )
        registry.set_alias("mnist", "champion", 2, reason="reads continental sevens")
    text = _text(pages.get("/"))
    for part in (
        "mnist/2",
        "reads continental sevens",
        "99.13 %",
        "+1.00 points against mnist/1",
        "Before: mnist/1",
    ):
        assert part in text


def test_now_says_what_needs_a_person(pages, batches):
    with open_registry() as registry:
        run = registry.job_runs.begin("retrain", "another process")
        registry.job_runs.end(run, "failed", "no mirror answers")
        registry.protect("mnist", "champion")
        registry.register("mnist", b"2", RunRecord(gate=batches.gate))
        registry.propose("mnist/2", "champion")
    page = pages.get("/")
    text = _text(page)
    assert "no mirror answers" in text
    assert "mnist/2 waits for approval" in text
    assert "Batch 2 drifted in confidence" in text
    assert 'href="/versions/mnist/2"' in page.text
    assert 'href="/batches/2"' in page.text


def test_batches_are_listed_with_their_drift(pages, batches):
    text = _text(pages.get("/batches"))
    assert "2 drifted" not in text
    assert "97.0 % 95.0 to 99.0" in text
    assert "accuracy on labelled images" in text
    rows = re.findall(r'<td class="nowrap"><a href="/batches/(\d)"', pages.get("/batches").text)
    assert rows == ["3", "2", "1"]
    far = re.findall(
        r'<td class="nowrap"><a href="/batches/(\d)"', pages.get("/batches?drift=yes").text
    )
    assert far == ["2"]
    assert "1" not in re.findall(
        r'<td class="nowrap"><a href="/batches/(\d)"', pages.get("/batches?before=1").text
    )


def test_a_batch_is_shown_in_full(pages, batches):
    text = _text(pages.get("/batches/3"))
    for part in ("300 images", "3 without a prediction", "/scans/<b>monday</b>", "2 blank image"):
        assert part in text
    assert "90.0 % of 10 labelled images right" in text
    assert "<b>monday" not in pages.get("/batches/3").text
    for path, status in (("9", 404), ("0", 400), ("x", 400), ("9" * 40, 400)):
        assert pages.get(f"/batches/{path}").status_code == status


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "just now"),
        (59, "just now"),
        (60, "1 minute ago"),
        (7_300, "2 hours ago"),
        (86_400 * 3 + 5, "3 days ago"),
        (-3600, "2026-01-01 01:00"),
    ],
)
def test_an_age_is_told_in_its_largest_unit(seconds, text):
    now = datetime(2026, 1, 1, tzinfo=UTC)
    assert ago(now - timedelta(seconds=seconds), now) == text


class _Links(HTMLParser):
    """Collects what a page refers to."""

    def __init__(self):
        super().__init__()
        self.targets = []

    def handle_starttag(self, tag, attributes):
        self.targets += [value for name, value in attributes if name in {"href", "src", "action"}]


def test_a_site_refers_only_to_its_own_files(home, batches, tmp_path, digits):
    with open_registry() as registry:
        registry.register("other", b"1")
        for number in range(3):
            registry.register("mnist", b"%d" % number, RunRecord(gate=batches.gate))
    output = tmp_path / "site"
    ended = digits("site", "--output", output)
    assert ended.status == 0
    names = {path.name for path in output.iterdir()}
    assert {"index.html", "versions-mnist.html", "versions-other.html", "batches.html"} <= names
    assert {"version-mnist-1.html", "batch-3.html"} <= names
    for path in output.glob("*.html"):
        links = _Links()
        links.feed(path.read_text())
        targets = {target for target in links.targets if not target.startswith(("#", "data:"))}
        assert targets <= names, path.name
        assert "<form" not in path.read_text()
        assert "<script" not in path.read_text()
    assert "mnist/1" in _text((output / "index.html").read_text())
    assert f"{len(list(output.glob('*.html')))} pages" in ended.out


def test_a_site_replaces_only_an_earlier_site(home, version, tmp_path):
    output = tmp_path / "site"
    write_site(load_settings(), output)
    (output / "version-mnist-9.html").write_text("of an earlier site")
    write_site(load_settings(), output)
    assert not (output / "version-mnist-9.html").exists()
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis/chapter.txt").write_text("the only copy")
    with pytest.raises(OutputError, match="other files"):
        write_site(load_settings(), tmp_path / "thesis")
    assert (tmp_path / "thesis/chapter.txt").read_text() == "the only copy"
    assert MARK not in {path.name for path in (tmp_path / "thesis").iterdir()}


def test_lists_of_a_site_have_as_many_pages_as_they_need(home, version, tmp_path, monkeypatch):
    monkeypatch.setattr("pipeline.web.static_site._ROWS", 2)
    with open_registry() as registry:
        for number in range(2, 6):
            registry.register("mnist", b"%d" % number)
        for number in range(5):
            registry.record_batch(_record(version), key=f"{number:064x}")
    write_site(load_settings(), tmp_path / "site")
    names = {path.name for path in (tmp_path / "site").iterdir()}
    assert {"versions-mnist-after-4.html", "versions-mnist-after-2.html"} <= names
    assert {"batches-before-4.html", "batches-before-2.html"} <= names


@pytest.fixture
def scored(retrained, tmp_path, home):
    """A scored batch of ten images of MNIST, a blank one, and a file that is no image."""
    examples = parquet.read(load_settings().data / "test.parquet", mnist_sample.SAMPLE.test)
    scans = tmp_path / "scans"
    scans.mkdir()
    for number in range(10):
        (scans / f"{number}.png").write_bytes(png(examples.images[number]))
    (scans / "blank.png").write_bytes(png(np.full((60, 60), 240, np.uint8)))
    (scans / "<b>.png").write_bytes(b"no image")
    return score(scans, tmp_path / "scores")


def test_the_images_of_a_batch_are_shown_by_digit_and_by_confidence(pages, scored):
    assert "/batches/1/images" in pages.get("/batches/1").text
    for by in ("digit", "confidence"):
        part = pages.get(f"/batches/1/images?by={by}").text
        assert part.count('class="came"') == 10
        assert "data:image/png;base64," in part
    (digit, count) = next(
        (digit, count) for digit, count in enumerate(scored.counts.digits.tolist()) if count
    )
    alone = pages.get(f"/batches/1/images?by=digit&only={digit}").text
    assert alone.count('class="came"') == count
    assert pages.get("/batches/1/images?only=nonsense").status_code == 404
    assert pages.get("/batches/9/images").status_code == 404


def test_each_image_without_a_prediction_has_its_reason_and_its_picture(pages, scored):
    page = pages.get("/batches/1/failures").text
    text = _text(page)
    assert "blank image blank.png" in text
    assert "not an image" in text
    assert "<b>.png" not in page
    assert page.count('class="came"') == 1


def test_a_batch_whose_results_are_gone_says_so(pages, batches):
    for part in ("images", "failures"):
        answer = pages.get(f"/batches/1/{part}")
        assert answer.status_code == 200
        assert "/scores/monday" in answer.text
