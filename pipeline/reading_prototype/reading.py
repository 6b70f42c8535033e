"""The ways to read an image of any size and polarity, each as MNIST's are."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.reading_prototype import components, framing, levels, lines, paper, strokes

Grey = NDArray[np.uint8]
Ink = Literal["auto", "dark", "light"]

# Longest edge of what is worked on.
_LONGEST = 256

# A digit that is shorter there, on a larger sheet, is looked at again for itself.
_SHORT = 64

# Of 255: what is nearer to the paper than this is not ink; and how many times the noise.
_FAINTEST = 12
_NOISE = 6

# Of the strongest ink: what is ink for sure, and what may be.
_CERTAIN = 0.5
_POSSIBLE = 0.22

# Of the brightness between the darkest and the brightest 2 %: what is ink, if the paper is not
# seen around it.
_STRETCHED = 40

# Of the longer edge: the window in which the paper is seen beside a stroke.
_WINDOW = 0.35

# An image with fewer pixels along its longer edge is too small to tell the paper by its surface.
_TINY = 20

# Log-odds: what a share of the image, and of its edges, that is ink says against a polarity; and
# against another choice than the one that is made first.
_SHARE = 6.0
_CHOICE = 2.0
_NEARBY = 0.5

# Of the edges that is ink: with more the polarity is in doubt.
_AT_EDGES = 0.02


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read an image."""

    image: Grey | None
    """Shape ``(28, 28)``, ink bright on dark; None if there is nothing to be seen."""
    is_dark_on_light: bool
    notes: tuple[str, ...] = ()
    """What was removed and done."""
    doubt: float = 0.0
    """Log-odds against it before anybody has looked at the digit."""
    is_close: bool = False
    """Whether another reading may be the better one."""
    steps: Steps | None = None


@dataclass(frozen=True, slots=True)
class Steps:
    """What becomes of an image, for people to look at."""

    grey: Grey
    """As it was read, made smaller if it is large."""
    ink: Grey
    """How much darker (or brighter) than the paper a pixel is."""
    kept: Grey
    """1 at the digit's pixels."""
    cropped: Grey
    """The digit in its own box, as bright as MNIST's."""


@dataclass(frozen=True, slots=True)
class _Choices:
    with_lines: bool = False
    without_underline: bool = False


def first_reading(grey: Grey, ink: Ink = "auto") -> Reading:
    """Read an image in the likeliest way.

    Parameters
    ----------
    grey : ndarray of uint8, shape (height, width)
    ink : {"auto", "dark", "light"}
        Whether the ink is darker or lighter than the paper.
    """
    sheet, grey, scale = _smaller(grey)
    if max(sheet.shape) < _TINY:
        found = _stretched(grey, ink)
        return min(found, key=lambda one: one.doubt) if found else Reading(None, True)
    dark, light, faint = _from_paper(grey, scale)
    if ink == "auto":
        # Ink is the lesser part and the farther from the paper: the longer tail is its own.
        is_dark = _tail(dark) >= _tail(light)
    else:
        is_dark = ink == "dark"
    return _read(sheet, grey, dark if is_dark else light, faint, is_dark, scale, _Choices())


def other_readings(grey: Grey, ink: Ink, first: Reading) -> list[Reading]:
    """Return further ways to read an image, of which the first one was found."""
    sheet, grey, scale = _smaller(grey)
    found = _stretched(grey, ink)
    if max(sheet.shape) < _TINY:
        return found
    for choices in (
        *([_Choices(with_lines=True)] if "lines" in first.notes else ()),
        *([_Choices(without_underline=True)] if "underline?" in first.notes else ()),
    ):
        dark, light, faint = _from_paper(grey, scale)
        is_dark = first.is_dark_on_light
        other = _read(sheet, grey, dark if is_dark else light, faint, is_dark, scale, choices)
        found.append(replace(other, doubt=other.doubt + _CHOICE))
    return found


def _stretched(grey: Grey, ink: Ink) -> list[Reading]:
    """Read an image both ways without a look at the paper: it may hardly show any."""
    counts = levels.histogram(grey)
    low, high = levels.percentile(counts, 0.02), levels.percentile(counts, 0.98)
    if high - low < 2 * _FAINTEST:
        return []
    steps = np.clip((levels.VALUES - low) * (255 / (high - low)), 0, 255).astype(np.uint8)
    light = cv2.LUT(grey, steps)
    window = np.ones((round(max(grey.shape) * _WINDOW) | 1,) * 2, np.uint8)
    found = []
    for is_dark in (True, False):
        if ink == ("light" if is_dark else "dark"):
            continue
        bright = 255 - light if is_dark else light
        plain = _read(grey, grey, bright, _STRETCHED, is_dark, 1.0, _Choices())
        found.append(plain)
        if max(grey.shape) >= _TINY:
            # Under uneven light the paper is what is brightest nearby, or darkest.
            hat = cv2.MORPH_BLACKHAT if is_dark else cv2.MORPH_TOPHAT
            bright = cv2.morphologyEx(grey, hat, window)
            near = _read(grey, grey, bright, _STRETCHED, is_dark, 1.0, _Choices())
            found.append(replace(near, doubt=max(near.doubt, plain.doubt) + _NEARBY))
    return [replace(one, is_close=True) for one in found if one.image is not None]


def _from_paper(grey: Grey, scale: float) -> tuple[Grey, Grey, float]:
    """Return how much darker and lighter than the paper pixels are, and the faintest ink."""
    # Noise is finer than strokes, of which a digit has some 20 across its width. Where an image
    # was made smaller, that has taken most of it away.
    sigma = max(grey.shape) / 150 / scale**2
    if sigma > 0.5:
        grey = cv2.GaussianBlur(grey, (0, 0), sigma).astype(np.uint8, copy=False)
    surface = cv2.convertScaleAbs(np.maximum(paper.surface(grey), 0))
    dark, light = cv2.subtract(surface, grey), cv2.subtract(grey, surface)
    away = levels.histogram(dark) + levels.histogram(light)
    # What is darker is not lighter: each pixel counts once.
    away[0] = grey.size - away[1:].sum()
    return dark, light, max(_FAINTEST, _NOISE * levels.percentile(away, 0.5))


def _tail(ink: Grey) -> float:
    return float(levels.histogram(ink) @ levels.VALUES**3)


def _read(
    sheet: Grey,
    grey: Grey,
    ink: Grey,
    faint: float,
    is_dark: bool,
    scale: float,
    choices: _Choices,
) -> Reading:
    notes: set[str] = set()
    masks = _masks(ink, faint)
    if masks is None:
        return Reading(None, is_dark)
    possible, certain = masks
    is_open = False
    if not choices.with_lines:
        found = lines.find(possible, without_underline=choices.without_underline)
        is_open = found.is_open
        if found.count:
            notes.add("lines")
            ink = cv2.multiply(ink, 1 - found.removed)
            # They may have been darker than the digit is.
            masks = _masks(ink, faint)
            if masks is None:
                return Reading(None, is_dark, ("lines",))
            possible, certain = masks
        if is_open:
            notes.add("underline?")
    parts = components.select(possible, certain, scale)
    if parts is None or parts.is_dust:
        return Reading(None, is_dark, tuple(sorted(notes)), is_close=True)
    notes.update(parts.removed)
    box = strokes.box(parts.mask, 1)
    if scale > 1 and max(_shape(box)) < _SHORT:
        return first_reading(sheet[_around(box, scale)], "dark" if is_dark else "light")
    cropped = strokes.brightened(ink[box], parts.mask[box])
    small, note = strokes.scaled(cropped)
    if note:
        notes.add(note)
    edge = _share_at_edges(parts.mask)
    share = float(np.count_nonzero(parts.mask)) / parts.mask.size
    return Reading(
        framing.placed(small),
        is_dark,
        tuple(sorted(notes)),
        doubt=_SHARE * (edge + share),
        is_close=edge > _AT_EDGES or is_open,
        steps=Steps(grey, ink, parts.mask, cropped),
    )


def _masks(ink: Grey, faint: float) -> tuple[Grey, Grey] | None:
    """Return where ink may be, and where it is for sure; None if there is none."""
    counts = levels.histogram(ink)
    counts[: int(faint) + 1] = 0
    if not counts.any():
        return None
    strong = levels.percentile(counts, 0.9)
    possible, certain = (
        cv2.threshold(ink, max(faint, share * strong), 1, cv2.THRESH_BINARY)[1]
        for share in (_POSSIBLE, _CERTAIN)
    )
    return possible, certain


def _share_at_edges(mask: Grey) -> float:
    height, width = mask.shape
    ends = (mask[0], mask[-1], mask[:, 0], mask[:, -1])
    return float(sum(int(np.count_nonzero(one)) for one in ends)) / (2 * (height + width))


def _shape(box: tuple[slice, slice]) -> tuple[int, int]:
    rows, columns = box
    return rows.stop - rows.start, columns.stop - columns.start


def _around(box: tuple[slice, slice], scale: float) -> tuple[slice, slice]:
    """Return a box with half its length around it, for an image so many times as large."""
    margin = max(_shape(box)) / 2

    def wider(edge: slice) -> slice:
        return slice(max(0, int((edge.start - margin) * scale)), int((edge.stop + margin) * scale))

    rows, columns = box
    return wider(rows), wider(columns)


def _smaller(sheet: Grey) -> tuple[Grey, Grey, float]:
    """Return a sheet, the same made smaller if it is large, and how many times."""
    scale = max(sheet.shape) / _LONGEST
    if scale <= 1:
        return sheet, sheet, 1.0
    height, width = (max(1, round(length / scale)) for length in sheet.shape)
    small = cv2.resize(sheet, (width, height), interpolation=cv2.INTER_AREA)
    return sheet, small.astype(np.uint8, copy=False), max(sheet.shape) / max(small.shape)
