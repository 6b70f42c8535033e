"""The page Review, in a real browser."""

import json
import random
import re
import urllib.error
import urllib.request

import pytest
from playwright.sync_api import expect
from processes import LIMIT, stop, until

from pipeline import load_settings, open_registry, score
from pipeline.flows.server import free_port
from pipeline.review.decision_file import FILE_NAME, DecisionFile
from pipeline.web.site import Access

IMAGES = 60


def open_review(page, address, reviewer="ann"):
    page.goto(f"{address}/review")
    expect(page.locator("#came img")).to_be_visible(timeout=LIMIT * 1000)
    page.fill("#reviewer", reviewer)
    page.locator("#reviewer").blur()


def shown(page):
    """The path of the image that is shown; None at the end."""
    path = page.locator("#verdict .path")
    return path.inner_text() if path.count() else None


def press(page, key):
    """Press a key, and wait for the next image."""
    before = shown(page)
    page.keyboard.press(key)
    # While the next image is fetched, none is shown.
    page.wait_for_function(
        "before => document.querySelector('#desk').getAttribute('aria-busy') === 'false'"
        " && document.querySelector('#verdict .path')?.innerText !== before",
        arg=before,
        timeout=LIMIT * 1000,
    )
    return before


def standing():
    return DecisionFile(load_settings().reviews).refresh()


def test_a_review_by_keyboard(scored, serve_pages, page):
    _, labels = scored
    open_review(page, serve_pages())
    assert page.locator("[data-key].predicted").count() == 1
    decided = {}
    for _ in range(12):
        path = shown(page)
        decided[path] = labels[path]
        press(page, labels[path])
        # It was on disk before the next image was shown.
        assert standing().decisions[-1].path == path
    expect(page.locator("#decided")).to_have_text("12")
    wrong, right = shown(page), "n"
    press(page, "3")
    page.keyboard.press("u")
    expect(page.locator("#saved")).to_have_text("Undone: 3.")
    assert shown(page) == wrong
    press(page, right)
    skipped = press(page, "s")
    # Nothing else decides: other keys, combinations, a key held down, typing in a field.
    before = shown(page)
    for other in ("x", "Control+7", "Enter"):
        page.keyboard.press(other)
    page.locator("#reviewer").press_sequentially("7")
    assert shown(page) == before
    verdicts = {each.path: each.decision for each in standing().verdicts().values()}
    assert verdicts == {**decided, wrong: "n"}
    assert skipped not in verdicts
    assert {each.reviewer for each in standing().decisions} == {"ann"}
    page.reload()
    expect(page.locator("#decided")).to_have_text("13")


@pytest.mark.long
def test_two_reviewers_at_once_share_the_images(scored, serve_pages, browser):
    _, labels = scored
    address = serve_pages()
    with browser.new_context() as first, browser.new_context() as second:
        windows = [first.new_page(), second.new_page()]
        for page, name in zip(windows, ("ann", "bob"), strict=True):
            open_review(page, address, name)
        for number in range(IMAGES):
            page = windows[number % 2]
            if (path := shown(page)) is None:
                continue
            press(page, labels[path])
        for page in windows:
            while (path := shown(page)) is not None:
                press(page, labels[path])
            expect(page.locator("#verdict")).to_contain_text("Everything is decided")
    made = standing()
    assert len(made.decisions) == len(made.verdicts()) == IMAGES
    assert {each.path: each.decision for each in made.decisions} == labels
    by_reviewer = made.by_reviewer()
    assert by_reviewer["ann"] + by_reviewer["bob"] == IMAGES
    assert min(by_reviewer.values()) >= 10


def test_it_works_by_touch_on_a_narrow_screen(scored, serve_pages, browser):
    with browser.new_context(viewport={"width": 390, "height": 844}, has_touch=True) as context:
        page = context.new_page()
        open_review(page, serve_pages())
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        for button in page.locator("[data-key]").all():
            box = button.bounding_box()
            assert min(box["width"], box["height"]) >= 44
        path = shown(page)
        page.tap("[data-key='7']")
        expect(page.locator("#verdict .path")).not_to_have_text(path)
        assert [each.path for each in standing().decisions] == [path]


@pytest.fixture
def start_pages(start_digits):
    """Serve the pages of `home` in a process of its own, on a port that stays."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"

    def answers():
        try:
            return urllib.request.urlopen(f"{address}/static/mark.svg").status == 200
        except (urllib.error.URLError, ConnectionError):
            return False

    def start():
        process = start_digits("ui", "--port", port)
        until(answers)
        return process

    return start, address


# Each window that is closed still holds the images that it had fetched ahead.
@pytest.mark.parametrize("scored", [120], indirect=True)
@pytest.mark.long
def test_a_killed_server_loses_no_decision(scored, start_pages, browser, torture, measured):
    """It is killed at a random moment after a key, again and again, and started again."""
    _, labels = scored
    start, address = start_pages
    rng = random.Random(0)
    kills = 16 if torture else 1
    pressed = []
    server = start()
    with browser.new_context() as context:
        page = context.new_page()
        open_review(page, address)
        for kill in range(kills):
            for _ in range(2):
                path = shown(page)
                pressed.append((path, labels[path]))
                press(page, labels[path])
            path = shown(page)
            pressed.append((path, labels[path]))
            page.keyboard.press(labels[path])
            page.wait_for_timeout(rng.uniform(0, 30))
            server.kill()
            server.wait()
            if kill % 2 == 0:
                # The reviewer closes the page, too; what was not confirmed is in the browser.
                page.close()
                page = context.new_page()
                server = start()
                page.goto(f"{address}/review")
            else:
                server = start()
            page.wait_for_function(
                "() => Object.keys(JSON.parse(localStorage['digits.review.unsaved'])).length === 0"
                " && document.querySelector('#came img')",
                timeout=LIMIT * 1000,
            )
    stop(server)
    made = [(each.path, each.decision) for each in standing().decisions]
    assert made == pressed
    measured(f"review: the server killed after {len(pressed)} keys, {kills} times, 0 lost")


def test_a_server_that_is_away_is_told(scored, serve_pages, browser):
    """Its requests fail until they are let through again."""
    _, labels = scored
    address = serve_pages()
    with browser.new_context() as context:
        page = context.new_page()
        open_review(page, address)
        path = shown(page)
        context.set_offline(True)
        page.keyboard.press(labels[path])
        expect(page.locator("#trouble")).to_contain_text(
            "Not saved yet. The server does not answer."
        )
        assert shown(page) == path
        # Meanwhile no key decides on an image that is not shown.
        page.keyboard.press("1")
        context.set_offline(False)
        expect(page.locator("#trouble")).to_be_hidden(timeout=LIMIT * 1000)
        expect(page.locator("#verdict .path")).not_to_have_text(path)
    assert [(each.path, each.decision) for each in standing().decisions] == [(path, labels[path])]


def post(pages, path, **fields):
    token = re.search(r'name="csrf-token" content="([^"]*)"', pages.get("/review").text)[1]
    given = {"reviewer": "ann", "holder": "w", "batch": "", **fields}
    return pages.post(path, data=given, headers={"X-CSRF-Token": token})


def test_what_a_request_may_not_ask_for(scored, pages):
    assert pages.get("/review?batch=7").status_code == 404
    for sha256 in ("0" * 64, "..%2f" * 8, "A" * 64, "x"):
        assert pages.get(f"/review/images/{sha256}.png").status_code == 404
    for fields in (
        {"count": "0"},
        {"count": "1000"},
        {"count": "x"},
        {"count": "1", "reviewer": " "},
        {"count": "1", "reviewer": "a\nb"},
        {"count": "1", "holder": ""},
    ):
        assert post(pages, "/review/next", **fields).status_code == 400
    (item,) = post(pages, "/review/next", count="1").json()["items"]
    known = {"sha256": item["sha256"], "key": item["batch"], "row": item["row"], "id": "1"}
    for wrong in ({"decision": "10"}, {"decision": "undo"}, {"id": ""}, {"sha256": "../x"}):
        given = {**known, "decision": "7", **wrong}
        assert post(pages, "/review/decisions", **given).status_code == 400
    answer = post(pages, "/review/decisions", **known | {"decision": "7", "sha256": "0" * 64})
    assert answer.status_code == 410
    assert not standing().decisions
    image = pages.get(f"/review/images/{item['sha256']}.png")
    assert image.content.startswith(b"\x89PNG")


def test_without_the_token_nothing_is_decided(scored, pages):
    fields = {"reviewer": "ann", "holder": "w", "batch": "", "count": "1"}
    assert pages.post("/review/next", data=fields).status_code == 403


def test_read_only_pages_decide_nothing(scored, open_pages):
    pages = open_pages(Access(read_only=True))
    page = pages.get("/review")
    assert "nothing can be decided here" in page.text
    assert post(open_pages(), "/review/next", count="1").status_code == 200
    assert pages.post("/review/next").status_code == 403


def test_a_decision_sent_twice_is_saved_once(scored, pages):
    (item,) = post(pages, "/review/next", count="1").json()["items"]
    known = {"sha256": item["sha256"], "key": item["batch"], "row": item["row"], "id": "1"}
    for _ in range(2):
        answer = post(pages, "/review/decisions", **known, decision="7")
        assert answer.json()["progress"]["decided"] == 1
    file = load_settings().reviews / FILE_NAME
    assert [json.loads(line)["decision"] for line in file.read_text().splitlines()] == ["7"]


def test_the_registry_gets_what_was_decided(scored, pages, tmp_path):
    """It corrects the estimated accuracy of the batch."""
    (tmp_path / "scans" / "labels.csv").unlink()
    score(tmp_path / "scans", tmp_path / "unlabelled")
    items = post(pages, "/review/next", count="6", batch="2").json()["items"]
    for number, item in enumerate(items):
        known = {"sha256": item["sha256"], "key": item["batch"], "row": item["row"]}
        decision = "n" if number == 0 else str(item["prediction"])
        post(pages, "/review/decisions", **known, decision=decision, id=str(number), batch="2")
    post(pages, "/review/next", count="1", batch="2")
    with open_registry() as registry:
        labels, labels_of_other = registry.batch(2).labels, registry.batch(1).labels
    assert (sum(labels.labelled), sum(labels.correct)) == (6, 5)
    assert sum(labels.confidence) == pytest.approx(sum(item["confidence"] for item in items))
    # The other batch has labels for all of its images.
    assert sum(labels_of_other.labelled) == IMAGES


def test_a_full_disk_is_told(scored, pages, monkeypatch):
    """The decision is not saved, so the page keeps it and sends it again."""
    (item,) = post(pages, "/review/next", count="1").json()["items"]

    def full(*_):
        raise OSError(28, "No space left on device")

    known = {"sha256": item["sha256"], "key": item["batch"], "row": item["row"], "id": "1"}
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        answer = post(pages, "/review/decisions", **known, decision="7")
        assert answer.status_code == 507
        assert "No space left on device" in answer.json()["problem"]
    assert not standing().decisions
    assert post(pages, "/review/decisions", **known, decision="7").status_code == 200
    assert len(standing().decisions) == 1


def test_without_a_batch_the_page_says_how_to_get_one(retrained, pages):
    assert "There is nothing to review yet" in pages.get("/review").text
