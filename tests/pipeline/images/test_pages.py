"""Files of several pages, and the formats whose decoders are not always there."""

import io
import struct
import sys

import mnist_sample
import numpy as np
import pillow_heif
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mnist_sample import SAMPLE
from PIL import Image

from pipeline.images import pages
from pipeline.images.decoding import SUFFIXES, UnreadableImageError, decode, is_image
from pipeline.images.pages import Pages, sheet_or_pages

DIGITS = mnist_sample.arrays(SAMPLE.test)[0][:5]


def file_of(images, kind, **options):
    """Return a file with an image as each page."""
    first, *others = [Image.fromarray(image) for image in images]
    stream = io.BytesIO()
    if others:
        options |= {"save_all": True, "append_images": others}
    first.save(stream, kind, **options)
    return stream.getvalue()


def _pages(content):
    read = sheet_or_pages(content)
    assert isinstance(read, Pages)
    return list(read.sheets)


@pytest.mark.parametrize("options", [{}, {"compression": "tiff_lzw"}, {"big_tiff": True}])
@given(count=st.integers(2, 5))
def test_each_page_of_a_tiff_is_an_image(options, count):
    read = _pages(file_of(DIGITS[:count], "TIFF", **options))
    assert np.array_equal(read, DIGITS[:count])


def test_each_frame_of_an_animated_gif_is_an_image():
    assert np.array_equal(_pages(file_of(DIGITS, "GIF", duration=100)), DIGITS)


def test_each_page_of_a_pdf_is_an_image():
    large = [np.kron(digit, np.ones((8, 8), np.uint8)) for digit in DIGITS]
    read = _pages(file_of(large, "PDF", resolution=200, quality=95))
    assert len(read) == 5
    for page, digit in zip(read, large, strict=True):
        # Pillow stores the pages as JPEG.
        assert np.abs(page.astype(int) - digit).mean() < 6


@pytest.mark.parametrize("kind", ["TIFF", "GIF", "PDF"])
def test_a_file_of_one_page_is_one_image(kind):
    read = sheet_or_pages(file_of(DIGITS[:1], kind))
    assert isinstance(read, np.ndarray)
    assert np.array_equal(read, decode(file_of(DIGITS[:1], kind)))


def test_thumbnails_of_a_tiff_are_no_pages():
    """The second page says that it is a smaller version of the first."""
    tags = {254: 1}
    stream = io.BytesIO()
    Image.fromarray(DIGITS[0]).save(
        stream, "TIFF", save_all=True, append_images=[Image.fromarray(DIGITS[1])], tiffinfo=tags
    )
    assert np.array_equal(sheet_or_pages(stream.getvalue()), DIGITS[0])


def test_a_tiff_that_ends_early_or_in_itself_gives_what_it_has():
    content = file_of(DIGITS[:3], "TIFF")
    (first,) = struct.unpack_from("<I", content, 4)
    count = struct.unpack_from("<H", content, first)[0]
    pointer = first + 2 + 12 * count
    loop, cut = bytearray(content), bytearray(content)
    struct.pack_into("<I", loop, pointer, first)
    struct.pack_into("<I", cut, pointer, len(content) + 10)
    assert np.array_equal(sheet_or_pages(bytes(loop)), DIGITS[0])
    page, reason = _pages(bytes(cut))
    assert np.array_equal(page, DIGITS[0])
    assert reason == "truncated image"


def test_many_pages_and_many_pixels_give_a_reason(monkeypatch):
    monkeypatch.setattr(pages, "MAX_PAGES", 2)
    for kind in ("TIFF", "PDF", "GIF"):
        assert _pages(file_of(DIGITS, kind))[-1] == "more than 10,000 pages"
    monkeypatch.setattr(pages, "MAX_PIXELS", 28 * 28 * 3)
    assert _pages(file_of(DIGITS, "GIF")) == ["more than 100 megapixels"]


@given(st.sampled_from(["TIFF", "GIF", "PDF"]), st.data())
def test_damaged_pages_give_reasons_and_no_error(kind, data):
    content = bytearray(file_of(DIGITS[:3], kind))
    for _ in range(data.draw(st.integers(1, 5))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    read = sheet_or_pages(bytes(content[:cut]))
    for page in read.sheets if isinstance(read, Pages) else [read]:
        assert isinstance(page, str) or page.ndim == 2


def _heic(mode):
    # A gradient of one color, which the encoder keeps nearly as it is.
    ramp = np.repeat(np.arange(64, dtype=np.uint8)[None] * 4, 64, axis=0)
    image = Image.fromarray(ramp).convert(mode)
    stream = io.BytesIO()
    pillow_heif.from_pillow(image).save(stream, quality=95)
    return stream.getvalue(), ramp


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_heic_is_decoded(mode):
    content, ramp = _heic(mode)
    assert np.abs(decode(content).astype(int) - ramp).mean() < 3


def test_avif_is_decoded():
    content = file_of([np.kron(DIGITS[0], np.ones((4, 4), np.uint8))], "AVIF", quality=95)
    assert np.abs(decode(content)[::4, ::4].astype(int) - DIGITS[0]).mean() < 6


def test_colors_of_heic_have_their_weights():
    """Red and blue are not mixed up."""
    image = Image.new("RGB", (32, 32), (255, 0, 0))
    stream = io.BytesIO()
    pillow_heif.from_pillow(image).save(stream, quality=95)
    assert abs(int(decode(stream.getvalue())[16, 16]) - 76) < 5


@pytest.mark.parametrize(("package", "kind"), [("pillow_heif", "HEIC"), ("pypdfium2", "PDF")])
def test_without_the_extra_the_reason_names_it(monkeypatch, package, kind):
    content = _heic("L")[0] if kind == "HEIC" else file_of(DIGITS[:2], "PDF")
    monkeypatch.setitem(sys.modules, package, None)
    assert sheet_or_pages(content) == f"{kind} needs digits-pipeline[formats]"


def test_large_heic_and_pdf_are_refused_before_they_are_decoded(monkeypatch):
    monkeypatch.setattr("pipeline.images.decoding.MAX_PIXELS", 100)
    monkeypatch.setattr("pipeline.images.pages.MAX_PIXELS", 100)
    for content in (_heic("L")[0], file_of(DIGITS[:1], "PDF")):
        with pytest.raises(UnreadableImageError, match="more than 100 megapixels"):
            decode(content)
        assert sheet_or_pages(content) == "more than 100 megapixels"


def test_images_are_recognized_by_their_first_bytes():
    for kind in ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP", "AVIF", "PDF"):
        assert is_image(file_of(DIGITS[:1], kind)[:32])
    assert is_image(_heic("L")[0][:32])
    for text in (b"", b"BMI of all patients", b"RIFF\0\0\0\0WAVEfmt ", b"path,label\n", b"PK\3\4"):
        assert not is_image(text)
    assert ".jfif" in SUFFIXES
