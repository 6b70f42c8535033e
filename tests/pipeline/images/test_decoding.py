"""Image files of every format, and what only looks like one."""

import io
import subprocess
import sys
import zlib

import cv2
import mnist_sample
import numpy as np
import pytest
from damaged_images import png_chunk, raw_png
from mnist_sample import SAMPLE
from PIL import Image

from pipeline.images.decoding import UnreadableImageError, decode
from pipeline.images.encoding import png

DIGIT = mnist_sample.arrays(SAMPLE.test)[0][0]
LOSSLESS = ("PNG", "BMP", "TIFF")


def _file(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


@pytest.mark.parametrize("kind", LOSSLESS)
@pytest.mark.parametrize("mode", ["L", "RGB", "P"])
def test_lossless_formats_hold_the_very_pixels(kind, mode):
    image = Image.fromarray(DIGIT).convert(mode)
    assert (decode(_file(image, kind)) == DIGIT).all()


@pytest.mark.parametrize("bits", [1, 2, 4])
def test_few_bits_are_stretched(bits):
    steps = (DIGIT >> (8 - bits)).astype(np.uint8)
    expected = (steps.astype(int) * 255 // ((1 << bits) - 1)).astype(np.uint8)
    assert (decode(raw_png(steps, bits)) == expected).all()


@pytest.mark.parametrize("suffix", [".png", ".tiff"])
def test_sixteen_bits_become_eight(suffix):
    encoded = cv2.imencode(suffix, DIGIT.astype(np.uint16) * 257)[1].tobytes()
    assert (decode(encoded) == DIGIT).all()


@pytest.mark.parametrize(
    ("kind", "mode", "options"),
    [
        ("JPEG", "L", {"quality": 95}),
        ("JPEG", "RGB", {"quality": 95}),
        ("JPEG", "CMYK", {"quality": 95}),
        ("WEBP", "RGB", {"quality": 95}),
        ("GIF", "L", {}),
    ],
)
def test_other_formats_come_out_nearly_the_same(kind, mode, options):
    large = cv2.resize(DIGIT, (112, 112))
    pixels = decode(_file(Image.fromarray(large).convert(mode), kind, **options))
    assert pixels.shape == large.shape
    assert np.abs(pixels.astype(int) - large).mean() < 3


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photograph_is_turned_as_exif_says(orientation):
    image = np.zeros((40, 60), np.uint8)
    image[5:10, 5:25] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = _file(Image.fromarray(image), "JPEG", quality=95, exif=exif)
    from PIL import ImageOps

    expected = np.array(ImageOps.exif_transpose(Image.open(io.BytesIO(data))))
    pixels = decode(data)
    assert pixels.shape == expected.shape
    assert np.abs(pixels.astype(int) - expected).mean() < 2


@pytest.mark.parametrize(("ink", "paper"), [(0, 255), (255, 0)])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_ink_on_nothing_is_put_on_paper(ink, paper, mode):
    pixels = np.full((28, 28, 4), ink, np.uint8)
    pixels[..., 3] = DIGIT
    decoded = decode(_file(Image.fromarray(pixels).convert(mode), "PNG"))
    expected = np.rint(ink * (DIGIT / 255) + paper * (1 - DIGIT / 255))
    assert np.abs(decoded - expected).max() <= 1


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"text", "not an image"),
        (png(DIGIT)[:-12], "truncated image"),
        (png(DIGIT)[:40], "truncated image"),
        (_file(Image.fromarray(DIGIT), "JPEG")[:-30], "truncated image"),
        (b"\x89PNG\r\n\x1a\n" + b"IEND", "truncated image"),
        (b"\x89PNG\r\n\x1a\n" + png_chunk(b"IEND", b""), "not an image"),
        (b"GIF89a;", "not an image"),
    ],
)
def test_what_is_no_image_has_a_reason(data, reason):
    with pytest.raises(UnreadableImageError) as told:
        decode(data)
    assert told.value.reason == str(told.value) == reason


def test_a_bomb_is_refused_by_its_header():
    """Decoded it would take 40 gigabytes. In a process of its own: the limit is read once."""
    header = (200_000).to_bytes(4) * 2 + bytes([8, 0, 0, 0, 0])
    small = raw_png(np.zeros((2, 2), np.uint8), 8)
    bomb = small[:16] + header + zlib.crc32(b"IHDR" + header).to_bytes(4) + small[33:]
    code = (
        "import sys\n"
        "from pipeline.images.decoding import UnreadableImageError, decode\n"
        "try: decode(sys.stdin.buffer.read())\n"
        "except UnreadableImageError as error: print(error)\n"
        "status = dict(line.split(':', 1) for line in open('/proc/self/status'))\n"
        "print(int(status['VmHWM'].split()[0]) // 1000)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], input=bomb, capture_output=True, check=True
    )
    reason, megabytes = ended.stdout.decode().splitlines()
    assert reason == "more than 100 megapixels"
    assert int(megabytes) < 500


def test_a_png_needs_no_text_and_no_profile():
    """They are left out before libpng sees them: inflated, they may be gigabytes."""
    whole = png(DIGIT)
    for name in (b"zTXt", b"iTXt", b"iCCP"):
        text = png_chunk(name, b"k\0\0" + zlib.compress(bytes(1000)))
        assert (decode(whole[:33] + text + whole[33:-12] + text + whole[-12:]) == DIGIT).all()


def test_a_jpeg_of_more_passes_than_any_program_writes_is_refused():
    whole = _file(Image.fromarray(DIGIT), "JPEG", progressive=True)
    last = whole.rindex(b"\xff\xda")
    many = whole[:last] + whole[last:-2] * 40 + whole[-2:]
    with pytest.raises(UnreadableImageError, match="not an image"):
        decode(many)
    # What only looks so: a comment, and what is behind the picture.
    comment = b"\xff\xfe" + (82).to_bytes(2) + b"\xff\xda" * 40
    assert (decode(whole[:2] + comment + whole[2:] + many) == decode(whole)).all()


def test_a_format_that_is_not_promised_is_refused():
    """Whatever it is called."""
    for kind in ("PPM", "JPEG2000"):
        with pytest.raises(UnreadableImageError, match="not an image"):
            decode(_file(Image.fromarray(DIGIT), kind))


def test_the_numbers_of_a_picture_of_floats_may_be_as_large_as_they_can_be():
    pixels = np.where(DIGIT > 128, 1.7e308, -1.7e308)
    pixels[0, :3] = np.nan, np.inf, -np.inf
    decoded = decode(cv2.imencode(".tiff", pixels)[1].tobytes())
    assert (decoded[1:] == np.where(DIGIT > 128, 255, 0)[1:]).all()
