"""The pages about versions: the list, one version, its buttons, and the comparison."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest

from pipeline import open_registry
from pipeline.web.scales import Scale, time_ticks, value_ticks
from pipeline.web.timeline import read_timeline
from pipeline.web.versions import METRIC
from registry import Check, RunRecord

FAILED = (Check("validation_accuracy", 0.5, 0.97, passed=False),)


@pytest.fixture
def csrf(pages):
    """The token that a page carries for the changes it offers."""
    return re.search(r'name="csrf-token" content="(\w+)"', pages.get("/").text)[1]


@pytest.fixture
def more_versions(version):
    """A second version that passed its gate, a third that did not, and a refused candidate."""
    with open_registry() as registry:
        for number, gate in ((2, version.gate), (3, FAILED)):
            record = RunRecord(
                metrics={METRIC: 0.9 + number / 100}, gate=gate, params={"preset": "best"}
            )
            registry.register("mnist", f"weights {number}".encode(), record)
        registry.refuse("mnist", "ab" * 32, RunRecord(metrics={METRIC: 0.5}, gate=FAILED))
    return version


def _text(answer):
    """What a page says, without its markup."""
    return unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.text)))


@pytest.mark.parametrize("path", ["/", "/versions", "/compare"])
def test_without_a_registry_a_page_says_what_to_do(pages, path):
    answer = pages.get(path)
    assert answer.status_code == 200
    assert "digits retrain" in answer.text


def test_the_list_has_every_version_and_every_refusal(pages, more_versions):
    text = _text(pages.get("/versions"))
    for number in (1, 2, 3):
        assert f"mnist/{number}" in text
    assert "validation accuracy 0.5000, below 0.9700" in text


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({"where": "gate = 'failed'"}, [3]),
        ({"where": "number > 1", "sort": "metrics.validation_accuracy"}, [2, 3]),
        ({"where": "tags.team = 'nobody'"}, []),
        ({"after": "mnist/3"}, [2, 1]),
        ({"sort": "created_at asc"}, [1, 2, 3]),
    ],
)
def test_the_list_is_searched_sorted_and_paged(pages, more_versions, query, numbers):
    text = pages.get("/versions", params=query).text
    table = text[text.index('id="list"') :]
    links = re.findall(r'<td class="nowrap"><a href="/versions/mnist/(\d+)"', table)
    assert [int(number) for number in links] == numbers


def test_an_error_in_a_condition_is_marked_with_a_caret(pages, version):
    answer = pages.get("/versions", params={"where": "number > 1 adn number < 3"})
    assert answer.status_code == 400
    assert '<pre tabindex="0">  number > 1 adn number < 3\n             ^^^' in unescape(
        answer.text
    )


def test_a_long_list_is_read_page_by_page(pages, home, monkeypatch):
    monkeypatch.setattr("pipeline.web.versions._PAGE", 5)
    with open_registry() as registry:
        for number in range(1, 13):
            registry.register("mnist", b"%d" % number)
    address, seen = "/versions", []
    while address:
        text = pages.get(address).text
        seen += map(int, re.findall(r'<td class="nowrap"><a href="/versions/mnist/(\d+)"', text))
        following = re.search(r'href="([^"]*)" rel="next"', text)
        address = following and unescape(following[1])
    assert seen == list(range(12, 0, -1))


def test_values_of_the_registry_are_escaped(pages, home):
    evil = "<script>alert(1)</script>"
    with open_registry() as registry:
        registry.register(
            "mnist",
            b"1",
            RunRecord(
                tags={evil: evil},
                params={evil: evil, "preset": evil},
                environment={evil: evil},
                metrics={evil: 0.5},
                run_id=evil,
                code_version=evil,
                gate=(Check(evil, 1, 0, passed=True),),
            ),
        )
        registry.describe("mnist/1", evil)
        registry.set_alias("mnist", "challenger", 1, reason=evil)
        registry.register("mnist", b"2")
    for path in (
        "/versions",
        "/versions/mnist/1",
        "/compare?first=1&second=2",
        f"/versions?where={evil}",
        f"/compare?first={evil}&second={evil}",
        f"/versions?model={evil}",
        f"/{evil}",
    ):
        assert evil not in pages.get(path).text
        assert "alert(1)" in pages.get(path).text


def test_a_version_is_shown_in_full(pages, more_versions):
    text = _text(pages.get("/versions/mnist/1"))
    for part in (more_versions.sha256, "0.98125", "quick", "champion", "gate passed", "registered"):
        assert part in text


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/versions/mnist/9", 404),
        ("/versions/letters/1", 404),
        ("/versions/mnist/0", 400),
        ("/versions/mnist/1000000000000", 400),
        ("/versions/mnist/x", 400),
        ("/versions/..%2f..%2fetc/1", 404),
        ("/versions/mnist/1/nonsense", 404),
        ("/versions?model=letters", 404),
        ("/versions?after=nonsense", 400),
        ("/nowhere", 404),
    ],
)
def test_what_is_not_there_is_an_error_of_its_own(pages, version, path, status):
    answer = pages.get(path)
    assert answer.status_code == status
    assert "Traceback" not in answer.text


def test_learning_curves_are_read_from_no_other_directory(pages, home):
    """A run id comes from the registry, and an import may have brought any."""
    (home / "runs").mkdir(parents=True)
    (home / "record.json").write_text(
        '{"history": [{"number": 1, "loss": 1, "validation_loss": 1, "accuracy": 0, '
        '"validation_accuracy": 0}, {"number": 2, "loss": 0.5, "validation_loss": 1, '
        '"accuracy": 0, "validation_accuracy": 0}]}'
    )
    with open_registry() as registry:
        registry.register("mnist", b"1", RunRecord(run_id=".."))
        registry.register("mnist", b"2", RunRecord(run_id="a-run"))
    assert "Learning curves" not in pages.get("/versions/mnist/1").text
    (home / "runs/a-run").mkdir()
    (home / "record.json").rename(home / "runs/a-run/record.json")
    assert "Learning curves" in pages.get("/versions/mnist/2").text


def test_every_button_does_what_its_command_does(pages, more_versions, csrf):
    def press(number, action, **form):
        answer = pages.post(f"/versions/mnist/{number}/{action}", data={"csrf": csrf, **form})
        assert answer.headers["Location"] == f"/versions/mnist/{number}?done={action}"
        assert 'role="status"' in pages.get(answer.headers["Location"]).text

    press(2, "promote", alias="champion", reason="better")
    press(2, "rollback", reason="worse")
    press(3, "promote", alias="canary")
    press(3, "unalias", alias="canary")
    press(3, "archive")
    press(3, "restore")
    press(1, "tag", name="team", value="ocr")
    press(1, "describe", description="with scans")
    press(1, "untag", name="note")
    with open_registry() as registry:
        history = registry.history("mnist")
        version = registry.get("mnist@champion")
    assert version.number == 1
    assert version.tags == {"team": "ocr"}
    assert version.description == "with scans"
    events = [(e.kind, e.number, e.details.get("reason")) for e in reversed(history)][-9:]
    assert events == [
        ("alias_moved", 2, "better"),
        ("alias_rolled_back", 1, "worse"),
        ("alias_moved", 3, None),
        ("alias_removed", None, None),
        ("archived", 3, None),
        ("restored", 3, None),
        ("tagged", 1, None),
        ("described", 1, None),
        ("tagged", 1, None),
    ]


def test_a_button_follows_the_rules_of_the_command(pages, more_versions, csrf):
    refused = pages.post("/versions/mnist/3/promote", data={"csrf": csrf})
    assert refused.status_code == 409
    assert "did not pass its gate" in _text(refused) or "gate" in _text(refused)
    forced = pages.post("/versions/mnist/3/promote", data={"csrf": csrf, "force": "on"})
    assert forced.is_redirect
    archived = pages.post("/versions/mnist/3/archive", data={"csrf": csrf})
    assert "cannot be archived: it is mnist@champion" in _text(archived)
    with open_registry() as registry:
        assert registry.history("mnist", limit=1)[0].details["forced"] is True


def test_of_two_who_promote_at_once_only_one_does(pages, more_versions, csrf):
    shown = re.search(r'name="generation" value="(\d+)"', pages.get("/versions/mnist/2").text)[1]
    with open_registry() as registry:
        registry.set_alias("mnist", "champion", 3, force=True)
    late = pages.post("/versions/mnist/2/promote", data={"csrf": csrf, "generation": shown})
    assert late.status_code == 409
    with open_registry() as registry:
        assert registry.get("mnist@champion").number == 3


def test_a_protected_alias_is_proposed_and_approved_by_somebody_else(
    pages, more_versions, csrf, monkeypatch
):
    with open_registry() as registry:
        registry.protect("mnist", "champion")
    refused = pages.post("/versions/mnist/2/promote", data={"csrf": csrf})
    assert refused.status_code == 409
    assert "/versions/mnist/2/propose" in refused.text
    assert pages.post("/versions/mnist/2/propose", data={"csrf": csrf, "reason": "x"}).is_redirect
    assert "Proposed for champion" in _text(pages.get("/versions/mnist/2"))
    alone = pages.post("/versions/mnist/2/approve", data={"csrf": csrf})
    assert alone.status_code == 409
    pages.app.state.site.close()
    monkeypatch.setattr("pipeline.models.registries._actor", lambda: "bob@elsewhere")
    assert pages.post("/versions/mnist/2/approve", data={"csrf": csrf}).is_redirect
    with open_registry() as registry:
        assert registry.get("mnist@champion").number == 2


def test_read_only_pages_offer_no_button(open_pages, version):
    from pipeline.web.site import Access

    pages = open_pages(Access(read_only=True))
    assert "<form method=" not in pages.get("/versions/mnist/1").text


def test_two_versions_are_compared(pages, more_versions):
    text = _text(pages.get("/compare?first=1&second=@champion"))
    assert "identical" in text
    text = _text(pages.get("/compare?first=1&second=3"))
    assert "+" not in text.partition("Metrics")[0]
    assert "\N{MINUS SIGN}0.05125" in text
    assert "not compared layer by layer" in _text(pages.get("/compare/layers?first=1&second=3"))
    assert pages.get("/compare?first=1&second=9").status_code == 404
    assert "digits ingest" in _text(pages.get("/compare/images?first=1&second=3"))


def test_the_images_that_two_versions_disagree_on_are_drawn(pages, retrained):
    import mnist_sample
    import numpy as np

    from nn import NeuralNetwork
    from pipeline.data import parquet
    from pipeline.settings import load_settings

    other = NeuralNetwork((784, 5, 10), epochs=1, seed=1)
    other.fit(np.zeros((10, 784), np.uint8), np.arange(10))
    with open_registry() as registry:
        registry.register("mnist", other.to_bytes())
        networks = [NeuralNetwork.from_bytes(registry.load(f"mnist/{n}")) for n in (1, 2)]
    test = parquet.read(load_settings().data / "test.parquet", mnist_sample.SAMPLE.test)
    first, second = (network.predict(test.images) for network in networks)
    answer = pages.get("/compare/images?first=1&second=2")
    assert f"They disagree on {np.count_nonzero(first != second)}." in _text(answer)
    drawn = re.findall(r'src="data:image/png;base64,[^"]+"', answer.text)
    assert 0 < len(drawn) <= np.count_nonzero(first != second)
    assert "accuracy of" in _text(pages.get("/versions/mnist/1/mistakes"))
    assert "weights.1" in _text(pages.get("/compare/layers?first=1&second=2"))


def test_ticks_are_round_and_within_the_scale():
    assert [tick.text for tick in value_ticks(Scale(0.971, 0.992, 0, 1), 4, percent=True)] == [
        "97.5\N{NO-BREAK SPACE}%",
        "98.0\N{NO-BREAK SPACE}%",
        "98.5\N{NO-BREAK SPACE}%",
        "99.0\N{NO-BREAK SPACE}%",
    ]
    start = datetime(2026, 11, 3, 4, 30, tzinfo=UTC)
    texts = {}
    for days in (0.1, 1, 10, 100, 1_000, 10_000):
        end = start + timedelta(days=days)
        ticks = time_ticks(Scale(start.timestamp(), end.timestamp(), 0, 100), 6)
        assert 2 <= len(ticks) <= 9
        assert all(0 <= tick.place <= 100 for tick in ticks)
        texts[days] = ticks[0].text
    assert texts == {
        0.1: "04:30",
        1: "06:00",
        10: "2026-11-05",
        100: "2026-12",
        1_000: "2027-01",
        10_000: "2030",
    }


def test_the_timeline_stays_small_however_many_versions_there_are(tmp_path):
    from benchmarks.registry.fill import fill
    from registry import Registry

    url, blobs = f"sqlite:///{tmp_path}/registry.db", str(tmp_path / "blobs")
    fill(url, blobs, 3_000)
    with Registry(url, blobs) as registry:
        timeline = read_timeline(registry, "mnist", "accuracy", [], datetime.now(UTC))
    assert "1,500 versions" in timeline.summary
    assert len(timeline.versions) < 40_000
