"""Drawings that are not one digit, and digits as other hands would write them.

All are drawn larger than they are seen, and pass what images that people send pass: their strokes
are made as wide as MNIST's, and they are placed by their centre of mass.
"""

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.images import framing, strokes
from pipeline.images.levels import Grey, uint8

Rng = np.random.Generator
Points = NDArray[np.float64]

# Pixels along each edge of a drawing, and of a digit that is drawn into one.
_SIDE = 96
_DIGIT = 112

_LETTERS = "ABCDEFGHJKLMNPQRTUVWXYabcdefghijkmnpqrtuvwxy&?@#%$+=*<>{}"
_FONTS = (
    cv2.FONT_HERSHEY_SIMPLEX,
    cv2.FONT_HERSHEY_PLAIN,
    cv2.FONT_HERSHEY_DUPLEX,
    cv2.FONT_HERSHEY_COMPLEX,
    cv2.FONT_HERSHEY_TRIPLEX,
    cv2.FONT_HERSHEY_COMPLEX_SMALL,
    cv2.FONT_HERSHEY_SCRIPT_SIMPLEX,
    cv2.FONT_HERSHEY_SCRIPT_COMPLEX,
)

# Of 255: what is ink in a drawing.
_INK = 100


def draw_non_digits(digits: NDArray[np.uint8], count: int, rng: Rng) -> NDArray[np.uint8]:
    """Return drawings that are not one digit, shape ``(count, 28, 28)``.

    Parameters
    ----------
    digits : ndarray of uint8, shape (n, 28, 28)
        Digits to draw some from: several, halves, struck-out ones.
    """
    found = np.empty((count, framing.SIDE, framing.SIDE), np.uint8)
    for index in range(count):
        sheet = _blank()
        while not (sheet >= _INK).any():
            kind = int(rng.integers(len(_DRAWN) + len(_OF_DIGITS)))
            if kind < len(_DRAWN):
                sheet = _DRAWN[kind](rng)
            else:
                few = digits[rng.integers(len(digits), size=3)]
                sheet = _OF_DIGITS[kind - len(_DRAWN)]([_large(digit) for digit in few], rng)
        found[index] = _seen(sheet)
    return found


def rewrite(digits: NDArray[np.uint8], rng: Rng) -> NDArray[np.uint8]:
    """Return digits with other pens, slants and proportions, shape ``(n, 28, 28)``."""
    found = digits.copy()
    for index, digit in enumerate(digits):
        sheet = cv2.resize(digit, (_DIGIT, _DIGIT), interpolation=cv2.INTER_CUBIC)
        pen = int(rng.integers(-5, 6))
        disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (abs(pen) + 1, abs(pen) + 1))
        changed = cv2.dilate(sheet, disc) if pen > 0 else cv2.erode(sheet, disc)
        # A stroke as thin as that would be gone.
        if np.count_nonzero(changed >= _INK) > 0.3 * np.count_nonzero(sheet >= _INK):
            sheet = changed
        stretch = np.array([[rng.uniform(0.75, 1.25), rng.uniform(-0.25, 0.25), 0], [0, 1, 0]])
        turn = cv2.getRotationMatrix2D((_DIGIT / 2, _DIGIT / 2), rng.uniform(-12, 12), 1)
        both = turn @ np.vstack([stretch, [0, 0, 1]])
        sheet = cv2.warpAffine(sheet, both, (_DIGIT + 40, _DIGIT + 20))
        if (sheet >= _INK).any():
            found[index] = _seen(uint8(sheet))
    return found


def _seen(sheet: Grey) -> Grey:
    small, _ = strokes.scaled(sheet[strokes.box(sheet)])
    return framing.placed(small)


def _large(digit: Grey) -> Grey:
    return uint8(cv2.resize(digit, (_DIGIT, _DIGIT), interpolation=cv2.INTER_CUBIC))


def _blank() -> Grey:
    return np.zeros((_SIDE, _SIDE), np.uint8)


def _pen(rng: Rng) -> int:
    return int(rng.integers(4, 13))


def _line(sheet: Grey, points: Points, thickness: int, *, closed: bool = False) -> None:
    """Draw straight from point to point, x and y each."""
    sixteenths = np.rint(points * 16).astype(np.int32)
    cv2.polylines(sheet, [sixteenths], closed, 255, thickness, cv2.LINE_AA, 4)


def _curve(sheet: Grey, points: Points, thickness: int) -> None:
    """Draw a smooth curve through points (Catmull and Rom 1974)."""
    ends = np.vstack([2 * points[0] - points[1], points, 2 * points[-1] - points[-2]])
    t = np.linspace(0, 1, 16)[:, np.newaxis]
    for start in range(len(points) - 1):
        a, b, c, d = ends[start : start + 4]
        between = 2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2
        _line(sheet, (between + (3 * b - a - 3 * c + d) * t**3) / 2, thickness)


def _stroke(sheet: Grey, start: Points, end: Points, thickness: int, rng: Rng) -> None:
    """Draw a stroke that bends a little."""
    _curve(sheet, np.vstack([start, (start + end) / 2 + rng.normal(0, 4, 2), end]), thickness)


def _scribble(rng: Rng) -> Grey:
    sheet = _blank()
    _curve(sheet, rng.uniform(10, 86, (int(rng.integers(5, 14)), 2)), _pen(rng))
    return sheet


def _letter(rng: Rng) -> Grey:
    sheet = np.zeros((160, 160), np.uint8)
    letter = _LETTERS[rng.integers(len(_LETTERS))]
    font = _FONTS[rng.integers(len(_FONTS))]
    cv2.putText(sheet, letter, (30, 120), font, 3.2, 255, int(rng.integers(5, 16)), cv2.LINE_AA)
    turn = cv2.getRotationMatrix2D((80, 80), rng.uniform(-15, 15), 1)
    turn[0, 1] += rng.uniform(-0.2, 0.2)
    return uint8(cv2.warpAffine(sheet, turn, (160, 160)))


def _box(rng: Rng) -> Grey:
    sheet = _blank()
    right, bottom = (int(edge) for edge in rng.integers(50, 86, 2))
    thickness = int(rng.integers(2, 10))
    cv2.rectangle(sheet, (5, 5), (right, bottom), 255, thickness)
    if rng.random() < 0.5:
        top, foot = (int(x) for x in rng.integers(5, right, 2))
        cv2.line(sheet, (top, 5), (foot, bottom), 255, thickness)
    return _turned(sheet, rng.uniform(-6, 6))


def _blob(rng: Rng) -> Grey:
    sheet = _blank()
    for _ in range(rng.integers(1, 5)):
        at = tuple(int(place) for place in rng.integers(25, 70, 2))
        axes = tuple(int(axis) for axis in rng.integers(6, 26, 2))
        cv2.ellipse(sheet, at, axes, rng.uniform(0, 180), 0, 360, 255, -1, cv2.LINE_AA)
    return sheet


def _cross(rng: Rng) -> Grey:
    """Return a cross, a plus, or an equals sign."""
    sheet = _blank()
    ends = (
        ((15, 15, 80, 80), (80, 15, 15, 80)),
        ((48, 10, 48, 86), (10, 48, 86, 48)),
        ((15, 30, 80, 30), (15, 65, 80, 65)),
    )[rng.integers(3)]
    thickness = _pen(rng)
    for end in ends:
        start, stop = np.reshape(end, (2, 2)) + rng.normal(0, 6, (2, 2))
        _stroke(sheet, start, stop, thickness, rng)
    return sheet


def _tick(rng: Rng) -> Grey:
    sheet = _blank()
    low = rng.uniform((8, 40), (30, 66)), rng.uniform((25, 70), (48, 90))
    end = rng.uniform((60, 6), (92, 40))
    thickness = _pen(rng)
    if rng.random() < 0.5:
        _line(sheet, np.vstack([*low, end]), thickness)
    else:
        _stroke(sheet, *low, thickness, rng)
        _stroke(sheet, low[1], end, thickness, rng)
    return sheet


def _polygon(rng: Rng) -> Grey:
    sheet = _blank()
    corners = int(rng.integers(3, 7))
    angles = np.sort(rng.uniform(0, 2 * np.pi, corners))
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    _line(sheet, 48 + points * rng.uniform(22, 42, (corners, 1)), _pen(rng), closed=True)
    return sheet


def _arcs(rng: Rng) -> Grey:
    sheet = _blank()
    thickness = _pen(rng)
    for _ in range(rng.integers(2, 5)):
        at = tuple(int(place) for place in rng.integers(25, 70, 2))
        axes = tuple(int(axis) for axis in rng.integers(8, 35, 2))
        angle, end = rng.uniform(0, 180), rng.uniform(90, 330)
        cv2.ellipse(sheet, at, axes, angle, 0, end, 255, thickness, cv2.LINE_AA)
    return sheet


def _dots(rng: Rng) -> Grey:
    sheet = _blank()
    for _ in range(rng.integers(3, 10)):
        at = tuple(int(place) for place in rng.integers(8, 88, 2))
        cv2.circle(sheet, at, int(rng.integers(2, 7)), 255, -1, cv2.LINE_AA)
    return sheet


def _hatching(rng: Rng) -> Grey:
    sheet = _blank()
    thickness, slant = int(rng.integers(3, 8)), rng.uniform(-20, 20)
    for x in np.linspace(12, 84, int(rng.integers(3, 7))):
        _line(sheet, np.array([[x + slant, 10], [x - slant, 86]]), thickness)
    return _turned(sheet, rng.uniform(0, 180))


def _picture(rng: Rng) -> Grey:
    """Return light and shade without strokes, as in a photograph."""
    noise = rng.normal(0, 1, (_SIDE, _SIDE)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), rng.uniform(2, 9))
    share = (smooth - smooth.min()) / np.ptp(smooth)
    sheet = (share - rng.uniform(0.3, 0.6)) * rng.uniform(400, 1500)
    shades: Grey = np.clip(sheet, 0, 255).astype(np.uint8)
    return shades


def _several(digits: list[Grey], rng: Rng) -> Grey:
    """Return two or three digits side by side."""
    parts = [digit[strokes.box(digit)] for digit in digits[: int(rng.integers(2, 4))]]
    gap = int(rng.integers(-6, 16))
    height = max(part.shape[0] for part in parts)
    sheet = np.zeros((height, sum(part.shape[1] + 16 for part in parts)), np.uint8)
    left = 0
    for part in parts:
        top = (height - part.shape[0]) // 2
        place = sheet[top : top + part.shape[0], left : left + part.shape[1]]
        np.maximum(place, part, out=place)
        left += max(1, part.shape[1] + gap)
    return sheet


def _half(digits: list[Grey], rng: Rng) -> Grey:
    digit = digits[0][strokes.box(digits[0])]
    height, width = (int(length * rng.uniform(0.35, 0.5)) + 1 for length in digit.shape)
    return (digit[:height], digit[-height:], digit[:, :width], digit[:, -width:])[rng.integers(4)]


def _struck_out(digits: list[Grey], rng: Rng) -> Grey:
    sheet = np.pad(digits[0], 10)
    for _ in range(rng.integers(1, 5)):
        start, end = rng.uniform((5, 5), (30, 125)), rng.uniform((100, 5), (125, 125))
        _stroke(sheet, start, end, int(rng.integers(5, 12)), rng)
    return sheet


def _turned(sheet: Grey, degrees: float) -> Grey:
    turn = cv2.getRotationMatrix2D((_SIDE / 2, _SIDE / 2), degrees, 1)
    return uint8(cv2.warpAffine(sheet, turn, (_SIDE, _SIDE)))


# Letters are as many as three other kinds: nothing else is as like digits.
_DRAWN: tuple[Callable[[Rng], Grey], ...] = (
    _letter,
    _letter,
    _letter,
    _scribble,
    _box,
    _blob,
    _cross,
    _tick,
    _polygon,
    _arcs,
    _dots,
    _hatching,
    _picture,
)

_OF_DIGITS: tuple[Callable[[list[Grey], Rng], Grey], ...] = (_several, _half, _struck_out)
