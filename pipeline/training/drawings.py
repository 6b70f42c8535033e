"""Drawings that are not one digit, and digits as other hands would write them.

All are drawn larger than they are seen, and pass what images that people send pass: their strokes
are made as wide as MNIST's, and they are placed by their centre of mass.
"""

from collections.abc import Callable, Collection, Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.images import framing, strokes
from pipeline.images.levels import Grey, uint8
from pipeline.training.letters import LETTERS, Points

Rng = np.random.Generator

# Pixels along each edge of a drawing, and of a digit that is drawn into one.
_SIDE = 96
_DIGIT = 56

# Width of strokes in 20×20 from which on they are seen as they are.
_NARROW = 1.3

# Between two points of a curve, the weights of four points around (Catmull and Rom 1974).
_T = np.linspace(0, 1, 8)[:, np.newaxis]
_BETWEEN = np.hstack(
    [-_T + 2 * _T**2 - _T**3, 2 - 5 * _T**2 + 3 * _T**3, _T + 4 * _T**2 - 3 * _T**3, _T**3 - _T**2]
)
_BETWEEN /= 2

# What makes a stroke thicker or thinner by so many pixels.
_DISCS = [
    cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (width, width)).astype(np.uint8)
    for width in (1, 2, 3)
]

_PRINTED = "ABCDEFGHJKLMNPQRTUVWXYabcdefghijkmnpqrtuvwxy&?@#%$+=*<>{}"
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


def rewrite(digits: NDArray[np.uint8], rng: Rng) -> NDArray[np.uint8]:
    """Return digits with other pens, slants and proportions, shape ``(n, 28, 28)``."""
    found = digits.copy()
    for index, digit in enumerate(digits):
        sheet: cv2.typing.MatLike = _large(digit)
        pen = int(rng.integers(-2, 3))
        disc = _DISCS[abs(pen)]
        changed = cv2.dilate(sheet, disc) if pen > 0 else cv2.erode(sheet, disc)
        # A stroke as thin as that would be gone.
        if np.count_nonzero(changed >= _INK) > 0.3 * np.count_nonzero(sheet >= _INK):
            sheet = changed
        turn = cv2.getRotationMatrix2D((_DIGIT / 2, _DIGIT / 2), rng.uniform(-12, 12), 1)
        both = turn.astype(np.float64)
        # The columns of the rotation, after a stretch and a shear along the rows.
        both[:, 1] += rng.uniform(-0.25, 0.25) * both[:, 0]
        both[:, 0] *= rng.uniform(0.75, 1.25)
        sheet = cv2.warpAffine(sheet, both, (_DIGIT + 20, _DIGIT + 10))
        if sheet.max() >= _INK:
            found[index] = _seen(uint8(sheet))
    return found


def _seen(sheet: Grey) -> Grey:
    """Return a drawing as the network would see it, if it were sent."""
    left, top, width, height = cv2.boundingRect(uint8((sheet >= _INK).view(np.uint8)))
    cropped = sheet[top : top + height, left : left + width]
    scale = strokes.INK_SIDE / max(width, height)
    if scale * strokes.width(cropped) < _NARROW:
        return framing.placed(strokes.scaled(cropped)[0])
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = cv2.resize(cropped, size, interpolation=cv2.INTER_AREA)
    return framing.placed(uint8(cv2.convertScaleAbs(small, alpha=255 / max(_INK, small.max()))))


def _large(digit: Grey) -> Grey:
    return uint8(cv2.resize(digit, (_DIGIT, _DIGIT), interpolation=cv2.INTER_CUBIC))


def _blank() -> Grey:
    return np.zeros((_SIDE, _SIDE), np.uint8)


def _pen(rng: Rng) -> int:
    return int(rng.integers(6, 14))


def _line(sheet: Grey, points: Points, thickness: int, *, closed: bool = False) -> None:
    """Draw straight from point to point, x and y each."""
    sixteenths = np.rint(points * 16).astype(np.int32)
    cv2.polylines(sheet, [sixteenths], closed, 255, thickness, cv2.LINE_8, 4)


def _curve(sheet: Grey, points: Points, thickness: int) -> None:
    """Draw a smooth curve through points."""
    ends = np.vstack([2 * points[0] - points[1], points, 2 * points[-1] - points[-2]])
    pieces = [_BETWEEN @ ends[start : start + 4] for start in range(len(points) - 1)]
    _line(sheet, np.concatenate(pieces), thickness)


def _stroke(sheet: Grey, start: Points, end: Points, thickness: int, rng: Rng) -> None:
    """Draw a stroke that bends a little."""
    _curve(sheet, np.vstack([start, (start + end) / 2 + rng.normal(0, 4, 2), end]), thickness)


def _scribble(rng: Rng) -> Grey:
    sheet = _blank()
    _curve(sheet, rng.uniform(10, 86, (int(rng.integers(5, 14)), 2)), _pen(rng))
    return sheet


def _written(rng: Rng) -> Grey:
    """Return a letter as a hand writes it."""
    sheet = _blank()
    thickness = int(rng.integers(4, 11))
    size = rng.uniform((28, 48), (62, 72))
    slant = rng.uniform(-0.25, 0.25)
    for points, is_smooth in LETTERS[rng.integers(len(LETTERS))]:
        x, y = ((points + rng.normal(0, 0.045, points.shape) - 0.5) * size).T
        placed = np.stack([x - slant * y, y], axis=1) + _SIDE / 2
        draw = _curve if is_smooth or rng.random() < 0.2 else _line
        draw(sheet, placed, thickness)
    return sheet


def _printed(rng: Rng) -> Grey:
    """Return a letter of a font."""
    sheet = _blank()
    letter = _PRINTED[rng.integers(len(_PRINTED))]
    font = _FONTS[rng.integers(len(_FONTS))]
    cv2.putText(sheet, letter, (18, 72), font, 1.9, 255, int(rng.integers(4, 10)), cv2.LINE_8)
    turn = cv2.getRotationMatrix2D((_SIDE / 2, _SIDE / 2), rng.uniform(-15, 15), 1)
    turn[0, 1] += rng.uniform(-0.2, 0.2)
    return uint8(cv2.warpAffine(sheet, turn, (_SIDE, _SIDE)))


def _box(rng: Rng) -> Grey:
    sheet = _blank()
    right, bottom = (int(edge) for edge in rng.integers(50, 86, 2))
    thickness = int(rng.integers(5, 12))
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
        cv2.ellipse(sheet, at, axes, rng.uniform(0, 180), 0, 360, 255, -1, cv2.LINE_8)
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
        angle, end = (int(degrees) for degrees in rng.integers((0, 90), (180, 330)))
        points = np.array(cv2.ellipse2Poly(at, axes, angle, 0, end, 15), np.float64)
        _line(sheet, points, thickness)
    return sheet


def _dots(rng: Rng) -> Grey:
    sheet = _blank()
    for _ in range(rng.integers(3, 10)):
        at = tuple(int(place) for place in rng.integers(8, 88, 2))
        cv2.circle(sheet, at, int(rng.integers(2, 7)), 255, -1, cv2.LINE_8)
    return sheet


def _hatching(rng: Rng) -> Grey:
    sheet = _blank()
    thickness, slant = int(rng.integers(5, 9)), rng.uniform(-20, 20)
    for x in np.linspace(12, 84, int(rng.integers(3, 7))):
        _line(sheet, np.array([[x + slant, 10], [x - slant, 86]]), thickness)
    return _turned(sheet, rng.uniform(0, 180))


def _picture(rng: Rng) -> Grey:
    """Return light and shade without strokes, as in a photograph."""
    noise = rng.standard_normal((_SIDE // 3, _SIDE // 3), np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), rng.uniform(0.7, 3))
    share = (smooth - smooth.min()) / np.ptp(smooth)
    sheet = (share - rng.uniform(0.3, 0.6)) * rng.uniform(400, 1500)
    shades: Grey = np.clip(sheet, 0, 255).astype(np.uint8)
    return shades


def _several(digits: list[Grey], rng: Rng) -> Grey:
    """Return two or three digits side by side."""
    parts = [digit[strokes.box(digit)] for digit in digits[: int(rng.integers(2, 4))]]
    gap = int(rng.integers(-3, 8))
    height = max(part.shape[0] for part in parts)
    sheet = np.zeros((height, sum(part.shape[1] + 8 for part in parts)), np.uint8)
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
    sheet = np.pad(digits[0], 5)
    for _ in range(rng.integers(1, 5)):
        start, end = rng.uniform((3, 3), (15, 62)), rng.uniform((50, 3), (62, 62))
        _stroke(sheet, start, end, int(rng.integers(3, 6)), rng)
    return sheet


def _turned(sheet: Grey, degrees: float) -> Grey:
    turn = cv2.getRotationMatrix2D((_SIDE / 2, _SIDE / 2), degrees, 1)
    return uint8(cv2.warpAffine(sheet, turn, (_SIDE, _SIDE)))


_DRAWN: Mapping[str, Callable[[Rng], Grey]] = {
    "letter": _written,
    "printed": _printed,
    "tick": _tick,
    "scribble": _scribble,
    "box": _box,
    "blob": _blob,
    "cross": _cross,
    "polygon": _polygon,
    "arcs": _arcs,
    "dots": _dots,
    "hatching": _hatching,
    "picture": _picture,
}

_OF_DIGITS: Mapping[str, Callable[[list[Grey], Rng], Grey]] = {
    "several": _several,
    "half": _half,
    "struck_out": _struck_out,
}

NON_DIGITS = (*_DRAWN, *_OF_DIGITS)
"""The kinds of drawings that are not one digit."""

# What looks most like a digit is drawn so many times as often as the other kinds.
_TIMES_AS_OFTEN = {"letter": 5, "printed": 2, "tick": 3}


def draw_non_digits(
    digits: NDArray[np.uint8], count: int, rng: Rng, kinds: Collection[str] = NON_DIGITS
) -> NDArray[np.uint8]:
    """Return drawings that are not one digit, shape ``(count, 28, 28)``.

    Parameters
    ----------
    digits : ndarray of uint8, shape (n, 28, 28)
        Digits to draw some from: several, halves, struck-out ones.
    count : int
    rng : numpy.random.Generator
    kinds : collection of str
        Those of `NON_DIGITS` that are drawn.
    """
    choices = [
        kind for kind in NON_DIGITS if kind in kinds for _ in range(_TIMES_AS_OFTEN.get(kind, 1))
    ]
    found = np.empty((count, framing.SIDE, framing.SIDE), np.uint8)
    for index in range(count):
        sheet = _blank()
        while sheet.max() < _INK:
            kind = choices[rng.integers(len(choices))]
            if kind in _DRAWN:
                sheet = _DRAWN[kind](rng)
            else:
                few = digits[rng.integers(len(digits), size=3)]
                sheet = _OF_DIGITS[kind]([_large(digit) for digit in few], rng)
        found[index] = _seen(sheet)
    return found
