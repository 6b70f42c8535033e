"""Fields of several digits, cut into one image for each digit, in reading order.

Digits that lie apart are parts of the ink, or some parts above each other. What is as wide as two
digits is cut where little ink is, in several ways: the cut is taken whose pieces are read best.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.images import lines, strokes
from pipeline.images.components import connected
from pipeline.images.evidence import Judge
from pipeline.images.ink import Polarity, ink_on_paper, masks_of
from pipeline.images.levels import Grey, uint8
from pipeline.images.readings import first_reading

# Maximum height and maximum longest edge of the working image, in pixels.
_HEIGHT, _LONGEST = 160, 2560

# Of the tallest part: how tall a digit is at least, and a part of one; how far apart its parts are.
_TALL = 0.5
_PART = 0.12
_APART = 0.15

# Of the narrower of two parts: how much of it is above or below the other if both are one digit.
_ABOVE = 0.4

# Width for each height: with more, a part may be two digits; hardly any digit is as wide as the
# second; each is at least as wide as the third.
_WIDE = 0.75
_VERY_WIDE = 1.4
_NARROWEST = 0.2

# Cuts that are tried for two digits that touch, and digits that touch in a row.
_CUTS = 8
_MOST = 6

# Log-likelihood that a cut must gain, and how much more for each unit of width for each height that
# the part is narrower than very wide. The halves of many an unusual digit are read better than it.
_GAIN = 0.5
_MORE_GAIN = 6.0

# Around a digit, of its longer edge.
_MARGIN = 0.25


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of the ink that may be a digit."""

    ink: Grey
    """In its own box."""
    top: int
    left: int

    @property
    def bottom(self) -> int:
        return self.top + int(self.ink.shape[0])

    @property
    def right(self) -> int:
        return self.left + int(self.ink.shape[1])

    @property
    def aspect(self) -> float:
        """Width for each height."""
        return float(self.ink.shape[1] / self.ink.shape[0])

    @property
    def sheet(self) -> Grey:
        """The digit alone, light on dark, with a margin."""
        around = max(2, round(_MARGIN * max(self.ink.shape)))
        return uint8(
            cv2.copyMakeBorder(self.ink, around, around, around, around, cv2.BORDER_CONSTANT)
        )


def split(
    sheet: Grey, polarity: Polarity = "auto", judge: Judge | None = None, count: int | None = None
) -> list[Grey]:
    """Return the digits of a field, each light on dark, in reading order.

    Parameters
    ----------
    sheet : ndarray of uint8, shape (height, width)
    polarity : {"auto", "dark", "light"}
        Of the field.
    judge : callable, optional
        Tells how likely an image is one digit. Without it, cuts are where the least ink is.
    count : int, optional
        How many digits there are, if that is known.
    """
    pieces = _in_order(_joined(_parts(_ink(sheet, polarity))))
    if count is None:
        pieces = [part for piece in pieces for part in _cut_if_better(piece, judge)]
    else:
        pieces = _as_many(pieces, count, judge)
    return [piece.sheet for piece in pieces]


def _ink(sheet: Grey, polarity: Polarity) -> Grey:
    """Return the ink of a field, without lines; 0 elsewhere."""
    scale = min(1.0, _HEIGHT / sheet.shape[0], _LONGEST / max(sheet.shape))
    height, width = (max(1, round(length * scale)) for length in sheet.shape)
    grey = uint8(cv2.resize(sheet, (width, height), interpolation=cv2.INTER_AREA))
    ink, faintest, _ = ink_on_paper(grey, min(grey.shape) / 150 * scale**2, polarity)
    masks = masks_of(ink, faintest)
    if masks is None:
        return np.zeros_like(grey)
    ruled = lines.find(masks[0])
    ink = uint8(cv2.multiply(ink, 1 - ruled.mask))
    masks = masks_of(ink, faintest)
    return np.zeros_like(grey) if masks is None else uint8(cv2.multiply(ink, masks[0]))


def _parts(ink: Grey) -> list[_Piece]:
    """Return the connected parts of the ink, without dust."""
    inked = (ink > 0).astype(np.uint8)
    count, labels, stats, _ = connected(inked)
    tallest = int(stats[1:, cv2.CC_STAT_HEIGHT].max()) if count > 1 else 0
    found = []
    for number in range(1, count):
        left, top, width, height, _ = stats[number].tolist()
        if max(width, height) >= max(3, _PART * tallest):
            box = slice(top, top + height), slice(left, left + width)
            own = ink[box] * (labels[box] == number)
            found.append(_Piece(own.astype(np.uint8), top, left))
    return found


def _joined(parts: list[_Piece]) -> list[_Piece]:
    """Return parts joined that are of one digit, such as a 5 and its bar; what stays small goes."""
    tallest = max((part.ink.shape[0] for part in parts), default=0)
    waiting = sorted(parts, key=lambda part: -part.ink.shape[0])
    found: list[_Piece] = []
    for part in waiting:
        is_small = part.ink.shape[0] < _TALL * tallest
        for index, digit in enumerate(found):
            overlap = min(part.right, digit.right) - max(part.left, digit.left)
            narrower = min(part.ink.shape[1], digit.ink.shape[1])
            apart = max(0, part.top - digit.bottom, digit.top - part.bottom)
            reach = -_APART * tallest if is_small else _ABOVE * narrower
            if overlap >= reach and apart <= _APART * tallest:
                found[index] = _together(digit, part)
                break
        else:
            found.append(part)
    return [digit for digit in found if digit.ink.shape[0] >= _TALL * tallest]


def _together(first: _Piece, second: _Piece) -> _Piece:
    top, left = min(first.top, second.top), min(first.left, second.left)
    height = max(first.bottom, second.bottom) - top
    width = max(first.right, second.right) - left
    ink = np.zeros((height, width), np.uint8)
    for piece in (first, second):
        place = ink[piece.top - top : piece.bottom - top, piece.left - left : piece.right - left]
        np.maximum(place, piece.ink, out=place)
    return _Piece(ink, top, left)


def _in_order(pieces: list[_Piece]) -> list[_Piece]:
    """Return pieces line by line, each from left to right."""
    rows: list[list[_Piece]] = []
    for piece in sorted(pieces, key=lambda one: one.top + one.bottom):
        middle = (piece.top + piece.bottom) / 2
        if rows and middle < max(one.bottom for one in rows[-1]):
            rows[-1].append(piece)
        else:
            rows.append([piece])
    return [piece for row in rows for piece in sorted(row, key=lambda one: one.left)]


def _cut_if_better(piece: _Piece, judge: Judge | None) -> list[_Piece]:
    """Return a piece, or what it is cut into if that is read better."""
    if judge is None or piece.aspect <= _WIDE:
        return [piece]
    gain = _GAIN + _MORE_GAIN * max(0.0, _VERY_WIDE - piece.aspect)
    found = [piece]
    score = float(_likelihoods([piece], judge)[0])
    while len(found) < _MOST:
        cut = _best_cut(found, judge)
        if cut is None:
            break
        better = float(_likelihoods(cut, judge).min())
        if better <= score + gain:
            break
        found, score = cut, better
    return found


def _as_many(pieces: list[_Piece], count: int, judge: Judge | None) -> list[_Piece]:
    """Return so many pieces, cut where it is best; of more, the tallest."""
    while len(pieces) < count:
        cut = _best_cut(pieces, judge)
        if cut is None:
            break
        pieces = cut
    tallest = sorted(range(len(pieces)), key=lambda index: -pieces[index].ink.shape[0])[:count]
    return [pieces[index] for index in sorted(tallest)]


def _best_cut(pieces: list[_Piece], judge: Judge | None) -> list[_Piece] | None:
    """Return pieces of which the widest is cut in two; None if it is too narrow."""
    if not pieces:
        return None
    widest = max(range(len(pieces)), key=lambda index: pieces[index].ink.shape[1])
    piece = pieces[widest]
    narrowest = max(2, round(_NARROWEST * piece.ink.shape[0]))
    columns = np.arange(narrowest, piece.ink.shape[1] - narrowest)
    if not len(columns):
        return None
    mass = cv2.blur(piece.ink.sum(axis=0, dtype=np.float32)[np.newaxis], (3, 1)).ravel()
    cuts: list[int] = []
    for column in columns[np.argsort(mass[columns], kind="stable")].tolist():
        if all(abs(column - other) > narrowest // 2 for other in cuts):
            cuts.append(column)
        if len(cuts) == (_CUTS if judge else 1):
            break
    halves = [_halves(piece, cut) for cut in cuts]
    best = 0
    if judge is not None:
        likelihoods = _likelihoods([half for pair in halves for half in pair], judge)
        best = int(likelihoods.reshape(-1, 2).sum(axis=1).argmax())
    return [*pieces[:widest], *halves[best], *pieces[widest + 1 :]]


def _halves(piece: _Piece, cut: int) -> tuple[_Piece, _Piece]:
    def trimmed(ink: Grey, left: int) -> _Piece:
        rows, columns = strokes.box(ink, 1)
        return _Piece(ink[rows, columns], piece.top + rows.start, left + columns.start)

    return (
        trimmed(piece.ink[:, :cut], piece.left),
        trimmed(piece.ink[:, cut:], piece.left + cut),
    )


def _likelihoods(pieces: list[_Piece], judge: Judge) -> NDArray[np.float64]:
    """Return the log-likelihood of each piece being one digit."""
    images = [first_reading(piece.sheet, "light").image for piece in pieces]
    found = np.full(len(pieces), -10.0)
    seen = [index for index, image in enumerate(images) if image is not None]
    if seen:
        likely = judge(np.array([images[index] for index in seen]))
        found[seen] = np.log(np.maximum(likely, 1e-4))
    return found
