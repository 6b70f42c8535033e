"""Image files of every format, damaged in every way; each by its number, always the same.

Run as a program, it reads the files of a format, in the order of their numbers, and tells on its
standard output which it begins with: the last is the one that killed it, if one did.
"""

import io
import os
import random
import signal
import sys
import warnings
import zlib
from collections.abc import Iterable
from functools import cache

import cv2
import mnist_sample
import numpy as np
from mnist_sample import SAMPLE
from PIL import Image
from scans import scan

from pipeline.images.decoding import UnreadableImageError, decode
from pipeline.images.reading import Reader, as_seen

SECONDS = 1.0
"""Of the processor's time that one file may take."""

FORMATS = ("bmp", "gif", "jpeg", "png", "tiff", "webp")

BOMB = "bomb"

REASONS = {
    "empty file",
    "not an image",
    "truncated image",
    "more than 100 megapixels",
    "blank image",
}

# What fields of a header have bounds at.
_NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFF_FFFF, 0xFFFF_FFFF)


def raw_png(steps: np.ndarray, bits: int) -> bytes:
    """A grey PNG file of so many bits, which no library writes."""
    height, width = steps.shape
    header = width.to_bytes(4) + height.to_bytes(4) + bytes([bits, 0, 0, 0, 0])
    rows = b""
    for row in steps:
        each = np.unpackbits(row[:, np.newaxis], axis=1)[:, 8 - bits :]
        rows += b"\0" + np.packbits(each.ravel()).tobytes()
    return (
        b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", header)
        + png_chunk(b"IDAT", zlib.compress(rows))
        + png_chunk(b"IEND", b"")
    )


def png_chunk(name: bytes, content: bytes) -> bytes:
    """A part of a PNG file."""
    check_sum = zlib.crc32(name + content).to_bytes(4)
    return len(content).to_bytes(4) + name + content + check_sum


@cache
def whole() -> dict[str, bytes]:
    """The files before they are damaged, by their names."""
    digit = mnist_sample.arrays(SAMPLE.test)[0][0]
    page = cv2.imdecode(
        np.frombuffer(scan(digit, np.random.default_rng(0)), np.uint8), cv2.IMREAD_COLOR
    )
    page = cv2.resize(page, (90, 60))
    grey, colour = Image.fromarray(digit), Image.fromarray(page)
    ink = np.zeros((28, 28, 4), np.uint8)
    ink[..., 3] = digit
    clear = Image.fromarray(ink)
    exif = Image.Exif()
    exif[0x0112] = 6
    sixteen = digit.astype(np.uint16) * 257
    files = {f"png-{bits}-bits": raw_png(digit >> (8 - bits), bits) for bits in (1, 2, 4)}
    files["png-16-bits"] = _by_opencv(".png", sixteen)
    files["png-colour-16-bits"] = _by_opencv(".png", page.astype(np.uint16) * 257)
    files["png-alpha-16-bits"] = _by_opencv(".png", ink.astype(np.uint16) * 257)
    files["tiff-16-bits"] = _by_opencv(".tiff", sixteen)
    files["tiff-float"] = _by_opencv(".tiff", digit.astype(np.float32))
    files["tiff-double"] = _by_opencv(".tiff", digit.astype(np.float64))
    several = {"save_all": True, "append_images": [grey.rotate(90), grey.rotate(180)]}
    for name, image, kind, options in (
        ("png-grey", grey, "PNG", {}),
        ("png-colour", colour, "PNG", {"dpi": (300, 300)}),
        ("png-palette", colour.quantize(200), "PNG", {}),
        ("png-palette-4-bits", colour.quantize(16), "PNG", {"transparency": 3}),
        ("png-alpha", clear, "PNG", {}),
        ("png-grey-alpha", clear.convert("LA"), "PNG", {}),
        ("png-animated", grey, "PNG", several),
        ("png-exif", grey, "PNG", {"exif": exif}),
        ("jpeg-grey", grey, "JPEG", {"quality": 90}),
        ("jpeg-colour", colour, "JPEG", {"quality": 90}),
        ("jpeg-all-colour", colour, "JPEG", {"quality": 90, "subsampling": 0}),
        ("jpeg-progressive", colour, "JPEG", {"progressive": True}),
        ("jpeg-restarts", colour, "JPEG", {"restart_marker_blocks": 2}),
        ("jpeg-cmyk", colour.convert("CMYK"), "JPEG", {}),
        ("jpeg-exif", colour, "JPEG", {"exif": exif}),
        ("tiff-grey", grey, "TIFF", {}),
        ("tiff-bilevel-fax", grey.convert("1"), "TIFF", {"compression": "group4"}),
        ("tiff-colour-lzw", colour, "TIFF", {"compression": "tiff_lzw"}),
        ("tiff-deflate", colour, "TIFF", {"compression": "tiff_adobe_deflate"}),
        ("tiff-packbits", grey, "TIFF", {"compression": "packbits"}),
        ("tiff-jpeg", colour, "TIFF", {"compression": "jpeg"}),
        ("tiff-palette", colour.quantize(200), "TIFF", {}),
        ("tiff-cmyk", colour.convert("CMYK"), "TIFF", {}),
        ("tiff-alpha", clear, "TIFF", {}),
        ("tiff-pages", grey, "TIFF", several),
        ("bmp-grey", grey, "BMP", {}),
        ("bmp-bilevel", grey.convert("1"), "BMP", {}),
        ("bmp-colour", colour, "BMP", {}),
        ("bmp-alpha", clear, "BMP", {}),
        ("gif-grey", grey, "GIF", {}),
        ("gif-clear", colour.quantize(64), "GIF", {"transparency": 0}),
        ("gif-animated", grey, "GIF", several),
        ("webp-colour", colour, "WEBP", {"quality": 80}),
        ("webp-lossless", grey, "WEBP", {"lossless": True}),
        ("webp-alpha", clear, "WEBP", {}),
        ("webp-animated", grey, "WEBP", several),
    ):
        stream = io.BytesIO()
        image.save(stream, kind, **options)
        files[name] = stream.getvalue()
    return files


@cache
def bombs() -> list[bytes]:
    """Small files that would take a long time, if they were decoded as they ask."""
    small = raw_png(np.zeros((28, 28), np.uint8), 8)
    text = png_chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(7_900_000), 9))
    stream = io.BytesIO()
    Image.new("L", (3000, 3000)).save(stream, "JPEG", progressive=True)
    jpeg = stream.getvalue()
    last = jpeg.rindex(b"\xff\xda")
    return [
        small[:33] + text * 900 + small[33:],
        small[:-12] + text * 900 + small[-12:],
        # A chunk that claims to be of two gigabytes.
        small[:33] + b"\x7f\xff\xff\xf0" + small[37:],
        jpeg[:last] + jpeg[last:-2] * 2000 + jpeg[-2:],
    ]


def _by_opencv(suffix: str, pixels: np.ndarray) -> bytes:
    return cv2.imencode(suffix, pixels)[1].tobytes()


def damaged(kind: str, number: int) -> bytes:
    """A file of a format, damaged in one to four places; or a bomb."""
    if kind == BOMB:
        return bombs()[number]
    rng = random.Random(f"{kind} {number}")
    data = bytearray(rng.choice([file for name, file in whole().items() if name.startswith(kind)]))
    for _ in range(rng.choice((1, 1, 2, 4))):
        rng.choice(_WAYS)(data, rng)
    if data.startswith(b"\x89PNG") and rng.random() < 0.7:
        # Otherwise its check sums would keep most of it from being looked at.
        _mend_check_sums(data)
    return bytes(data)


def _flip_bits(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice((1, 1, 8, 64))):
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def _truncate(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(len(data) + 1) :]


def _lose_the_middle(data: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(data) + 1)
    del data[start : start + rng.choice((1, 2, 16, 256))]


def _zero(data: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(data) + 1)
    end = min(len(data), start + rng.choice((4, 16, 64, 512)))
    data[start:end] = bytes(end - start)


def _edit_header(data: bytearray, rng: random.Random) -> None:
    _write_number(data, rng.randrange(min(len(data), 64) + 1), rng)


def _edit_field(data: bytearray, rng: random.Random) -> None:
    _write_number(data, rng.randrange(len(data) + 1), rng)


def _write_number(data: bytearray, place: int, rng: random.Random) -> None:
    number = rng.choice((*_NUMBERS, rng.getrandbits(16), rng.getrandbits(32)))
    length = rng.choice([length for length in (1, 2, 4, 8) if number < 1 << 8 * length])
    field = number.to_bytes(length, rng.choice(("big", "little")))
    data[place : place + length] = field[: len(data) - place]


def _repeat(data: bytearray, rng: random.Random) -> None:
    start = rng.randrange(len(data) + 1)
    data[start:start] = data[start : start + rng.choice((1, 8, 64, 512))] * rng.choice((1, 1, 20))


def _splice(data: bytearray, rng: random.Random) -> None:
    other = rng.choice(list(whole().values()))
    data[rng.randrange(len(data) + 1) :] = other[rng.randrange(len(other)) :]


_WAYS = (
    _flip_bits,
    _truncate,
    _lose_the_middle,
    _zero,
    _edit_header,
    _edit_field,
    _repeat,
    _splice,
)


def _mend_check_sums(data: bytearray) -> None:
    start = 8
    while (end := start + 8 + int.from_bytes(data[start : start + 4])) + 4 <= len(data):
        data[end : end + 4] = zlib.crc32(data[start + 4 : end]).to_bytes(4)
        start = end + 4


def _uncertain(images: np.ndarray) -> np.ndarray:
    """Be so uncertain of images that each is read in all ways."""
    return np.full(len(images), 0.3, np.float32)


def _read(kind: str, numbers: Iterable[int]) -> None:
    warnings.simplefilter("error")
    for number in numbers:
        data = damaged(kind, number)
        os.write(sys.stdout.fileno(), b"%d\n" % number)
        # Nobody handles the signal: it ends the process in the midst of a decoder.
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        reason = None
        try:
            grey = decode(data)
            assert (grey.dtype, grey.ndim) == (np.uint8, 2)
            seen = as_seen([grey], 1, Reader(judge=_uncertain))
            assert seen.images.shape == (1 - len(seen.reasons), 28, 28)
            reason = seen.reasons.get(0)
        except UnreadableImageError as error:
            reason = error.reason
        assert reason is None or reason in REASONS
        signal.setitimer(signal.ITIMER_PROF, 0)


if __name__ == "__main__":
    _read(sys.argv[1], range(int(sys.argv[2]), int(sys.argv[3])))
