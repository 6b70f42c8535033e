"""The pages in a real browser."""

import pytest

WIDTHS = (390, 1280, 1600)


@pytest.fixture
def address(home, serve_pages):
    return serve_pages()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_no_page_is_wider_than_the_window(page, address, theme):
    page.emulate_media(color_scheme=theme)
    for path in ("/",):
        page.goto(address + path)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            assert page.evaluate("document.documentElement.scrollWidth") <= width
