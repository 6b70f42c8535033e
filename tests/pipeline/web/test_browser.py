"""The pages in a real browser: themes, widths, accessibility, drawing, and every button."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect
from processes import LIMIT

from pipeline import open_registry
from registry import BatchRecord, DriftFigure, Estimate, RunRecord

WIDTHS = (390, 1280, 1600)

PAGES = (
    "/",
    "/versions",
    "/versions?where=nonsense",
    "/versions/mnist/1",
    "/compare?first=1&second=2",
    "/batches",
    "/batches/1",
    "/batches/2",
    "/review",
    "/try",
    "/api",
    "/nowhere",
)


@pytest.fixture
def address(retrained, scored, serve_pages):
    """The pages of a home with a champion, two versions, a refused candidate and scored images."""
    with open_registry() as registry:
        first = registry.load("mnist/1")
        registry.register("mnist", first, RunRecord(gate=retrained.gate, parent="mnist/1"))
        for number in range(2):
            registry.record_batch(_batch(retrained), key=f"{number:064x}")
        registry.refuse("mnist", "ab" * 32, RunRecord(gate=(_failed(retrained.gate[0]),)))
    return serve_pages()


def _batch(version):
    return BatchRecord(
        version="mnist/1",
        sha256=version.sha256,
        inputs=("scans",),
        output="/nowhere",
        files=103,
        digits=(10,) * 10,
        failures={"blank image": 3},
        confidence=0.97,
        histogram=(0,) * 19 + (100,),
        estimate=Estimate(0.97, 0.95, 0.99),
        drift=(DriftFigure("confidence", 0.5, 0.25),),
    )


def _failed(check):
    return type(check)(check.name, 0.5, 0.97, passed=False)


@pytest.fixture
def axe():
    return Axe()


def _open(page, address, path):
    page.goto(address + path)
    expect(page.locator("[aria-busy=true]")).to_have_count(0, timeout=LIMIT * 1000)


@pytest.mark.long
def test_every_page_fits_and_is_accessible_in_both_themes(page, address, axe, problems):
    for path in PAGES:
        page.set_viewport_size({"width": WIDTHS[-1], "height": 900})
        page.emulate_media(color_scheme="light", reduced_motion="reduce")
        _open(page, address, path)
        assert _violations(axe, page) == [], path
        # The themes differ in nothing but their colours.
        page.emulate_media(color_scheme="dark", reduced_motion="reduce")
        assert _violations(axe, page, "color-contrast") == [], path
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
    # The page that does not exist, and the condition that cannot be understood.
    assert len(problems) == 2
    problems.clear()


def _violations(axe, page, *rules):
    options = {"runOnly": list(rules)} if rules else None
    found = axe.run(page, options=options).response["violations"]
    return [(each["id"], each["nodes"]) for each in found]


def test_a_digit_is_drawn_and_read_by_two_versions(page, address):
    _open(page, address, "/try")
    box = page.locator("#canvas").bounding_box()
    for number, (x, y) in enumerate([(0.5, 0.2), (0.5, 0.5), (0.5, 0.8)]):
        page.mouse.move(box["x"] + x * box["width"], box["y"] + y * box["height"])
        if number == 0:
            page.mouse.down()
    page.mouse.up()
    expect(page.locator("[data-digit]")).to_have_count(2)
    assert page.locator(".steps img").count() >= 4
    page.get_by_role("button", name="Clear").click()
    expect(page.locator("[data-digit]")).to_have_count(0)


def test_a_file_is_read(page, address, tmp_path):
    (tmp_path / "no-image.png").write_bytes(b"nothing")
    _open(page, address, "/try")
    page.locator("#file").set_input_files(tmp_path / "no-image.png")
    expect(page.get_by_text("not an image").first).to_be_visible()


def test_every_button_of_a_version_works_by_keyboard(page, address):
    _open(page, address, "/versions/mnist/2")
    page.get_by_label("Why").first.fill("seen in a browser")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("points at this version")
    for button, fields in (
        ("Roll back", {}),
        ("Set the tag", {"Name": "team", "Value": "ocr"}),
        ("Save", {"What people should know": "a description"}),
        ("Archive", {}),
        ("Restore", {}),
    ):
        for label, text in fields.items():
            page.get_by_label(label, exact=True).fill(text)
        page.get_by_role("button", name=button, exact=True).focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("status")).to_be_visible()
    page.get_by_role("button", name="Remove the tag team").click()
    expect(page.get_by_role("status")).to_contain_text("removed")
    with open_registry() as registry:
        kinds = [event.kind for event in registry.history("mnist", number=2)]
    assert kinds[::-1] == [
        *("registered", "alias_moved", "tagged", "described", "archived", "restored", "tagged")
    ]


def test_the_keyboard_reaches_everything(page, address):
    """Every link, field and button is reached with Tab, and shows that it has the focus."""
    _open(page, address, "/versions")
    wanted = page.locator("a[href], button:visible, input:visible, select:visible").count()
    reached = set()
    for _ in range(wanted + 5):
        page.keyboard.press("Tab")
        reached.add(
            page.evaluate(
                """() => {
                    const all = [...document.querySelectorAll('a[href], button, input, select')];
                    return all.indexOf(document.activeElement);
                }"""
            )
        )
    assert len(reached - {-1}) == wanted
    page.goto(address + "/versions")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert re.search("#main$", page.url)
