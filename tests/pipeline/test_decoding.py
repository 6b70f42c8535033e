"""Image files of every format, and what only looks like one."""

import io
import subprocess
import sys
import zlib

import cv2
import mnist_sample
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mnist_sample import SAMPLE
from PIL import Image

from pipeline.decoding import SUFFIXES, UnreadableImageError, decode
from pipeline.images import png

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
    assert (decode(_raw_png(steps, bits)) == expected).all()


def _raw_png(steps, bits):
    """A grey PNG file of so many bits, which no library writes."""

    def chunk(name, data):
        return len(data).to_bytes(4) + name + data + zlib.crc32(name + data).to_bytes(4)

    height, width = steps.shape
    header = width.to_bytes(4) + height.to_bytes(4) + bytes([bits, 0, 0, 0, 0])
    rows = b""
    for row in steps:
        each = np.unpackbits(row[:, np.newaxis], axis=1)[:, 8 - bits :]
        rows += b"\0" + np.packbits(each.ravel()).tobytes()
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


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
        (b"\x89PNG\r\n\x1a\n" + b"IEND", "not an image"),
    ],
)
def test_what_is_no_image_has_a_reason(data, reason):
    with pytest.raises(UnreadableImageError) as told:
        decode(data)
    assert told.value.reason == str(told.value) == reason


def test_a_bomb_is_refused_by_its_header():
    """Decoded it would take 40 gigabytes. In a process of its own: the limit is read once."""
    header = (200_000).to_bytes(4) * 2 + bytes([8, 0, 0, 0, 0])
    small = _raw_png(np.zeros((2, 2), np.uint8), 8)
    bomb = small[:16] + header + zlib.crc32(b"IHDR" + header).to_bytes(4) + small[33:]
    code = (
        "import sys\n"
        "from pipeline.decoding import UnreadableImageError, decode\n"
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


REASONS = {None, "empty file", "not an image", "truncated image", "more than 100 megapixels"}
_WHOLE = [
    *(cv2.imencode(suffix, DIGIT)[1].tobytes() for suffix in sorted(SUFFIXES - {".gif"})),
    _file(Image.fromarray(DIGIT), "GIF"),
]


@given(st.sampled_from(_WHOLE), st.data())
@settings(max_examples=300, deadline=None)
def test_damaged_files_are_decoded_or_refused_and_nothing_else(whole, data):
    damaged = bytearray(whole)
    for _ in range(data.draw(st.integers(1, 8))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        kind = data.draw(st.sampled_from(["change", "cut", "repeat"]))
        if kind == "change":
            damaged[place] = data.draw(st.integers(0, 255))
        elif kind == "cut":
            del damaged[place : place + data.draw(st.integers(1, 40))]
            damaged += b"\0" * (not damaged)
        else:
            damaged[place:place] = damaged[place : place + 8]
    reason = None
    try:
        pixels = decode(bytes(damaged))
    except UnreadableImageError as error:
        reason = error.reason
    else:
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 2
        assert pixels.size
    assert reason in REASONS
