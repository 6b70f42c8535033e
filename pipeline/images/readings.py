"""The ways to read an image of any size and polarity, each as MNIST's images are.

MNIST was made so (LeCun et al. 1998, "Gradient-based learning applied to document recognition";
EMNIST, arXiv:1702.05373): the ink cropped, scaled into 20×20 keeping its proportions, and placed
by its centre of mass into 28×28. What people send needs more before: the paper is told from the
ink under uneven light, and which of the two is the brighter; lines, dust and neighbours are taken
away; strokes get the brightness and the width of MNIST's.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np

from pipeline.images import framing, levels, lines, parts, strokes
from pipeline.images.ink import FAINTEST, Polarity, ink_on_paper, is_noise, masks_of
from pipeline.images.levels import Grey, uint8

# Maximum longest edge of the working image, in pixels.
_LONGEST = 256

# A digit that is shorter there, on a larger sheet, is looked at again for itself.
_SHORT = 64

# Of the strongest ink: if no fainter one is seen, the paper was not told right.
_UNCLEAR = 0.35

# Of the brightness between the darkest and the brightest 2 %: what is ink, if the paper is not
# seen around it.
_STRETCHED = 40

# Of the longer edge: the window in which the paper is seen beside a stroke.
_WINDOW = 0.35

# An image with fewer pixels along its longer edge is too small to tell the paper by its surface.
_TINY = 20

# Log-odds: what ink says against a reading if it fills the image, and its edges; and what is said
# against any reading but the first.
_FILLED = 6.0
_NEARBY = 0.5
_OTHER = 3.0

# Of the edges that is ink: with more, the polarity is in doubt.
_AT_EDGES = 0.02


@dataclass(frozen=True, slots=True)
class Steps:
    """What becomes of an image, for people to look at."""

    grey: Grey
    """As it was read, made smaller if it is large."""
    ink: Grey
    """How much darker (or lighter) than the paper a pixel is, without lines."""
    digit: Grey
    """1 at the pixels that were taken for the digit's."""
    cropped: Grey
    """The digit in its own box, as bright as MNIST's."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read an image."""

    image: Grey | None
    """Shape ``(28, 28)``, ink bright on dark; None if there is nothing to be seen."""
    is_dark_on_light: bool
    notes: tuple[str, ...] = ()
    """What was removed and done."""
    doubt: float = 0.0
    """Log-odds against it, before anybody has looked at the digit."""
    is_close: bool = False
    """Whether another reading may be the better one, or may show something."""
    has_foot: bool = False
    """Whether the digit stands on a line, or has a foot like one."""
    steps: Steps | None = None


@dataclass(frozen=True, slots=True)
class _View:
    """An image on which ink was told from paper."""

    sheet: Grey
    """As large as it was sent."""
    grey: Grey
    """At most 256 pixels long."""
    ink: Grey
    faintest: float
    is_dark: bool

    @property
    def is_unclear(self) -> bool:
        """Whether most of what may be ink cannot be told from the paper."""
        return self.faintest > _UNCLEAR * float(self.ink.max())

    @property
    def scale(self) -> float:
        """Pixels of the sheet for each."""
        return float(max(self.sheet.shape) / max(self.grey.shape))


def first_reading(sheet: Grey, polarity: Polarity = "auto", grey: Grey | None = None) -> Reading:
    """Read an image in the likeliest way.

    Parameters
    ----------
    sheet : ndarray of uint8, shape (height, width)
    polarity : {"auto", "dark", "light"}
        Whether the ink is darker or lighter than the paper.
    grey : ndarray of uint8, optional
        The sheet made `smaller`, if the caller needs that too.
    """
    if grey is None:
        grey = smaller(sheet)
    if max(grey.shape) < _TINY:
        ways = _stretched(grey, polarity)
        return min(ways, key=lambda way: way.doubt) if ways else Reading(None, polarity != "light")
    return _read(_view(sheet, grey, polarity))


def other_readings(sheet: Grey, polarity: Polarity, first: Reading) -> list[Reading]:
    """Return further ways to read an image, of which the first one was found."""
    grey = smaller(sheet)
    found = _stretched(grey, polarity)
    if max(grey.shape) < _TINY:
        return found
    same = _view(sheet, grey, "dark" if first.is_dark_on_light else "light")
    if "lines removed" in first.notes:
        found.append(_read(same, with_lines=True, doubt=_OTHER))
    if first.has_foot:
        found.append(_read(same, without_foot=True, doubt=_OTHER))
    return found


def smaller(sheet: Grey) -> Grey:
    """Return a sheet as it is worked on: at most 256 pixels long."""
    scale = max(sheet.shape) / _LONGEST
    if scale <= 1:
        return sheet
    height, width = (max(1, round(length / scale)) for length in sheet.shape)
    return uint8(cv2.resize(sheet, (width, height), interpolation=cv2.INTER_AREA))


def _view(sheet: Grey, grey: Grey, polarity: Polarity) -> _View:
    """Tell ink from paper by how far a pixel is from the surface of the paper."""
    # Noise is finer than strokes, of which a digit has some 20 across its width. Where an image
    # was made smaller, that has taken most of it away.
    sigma = max(grey.shape) / 150 / (max(sheet.shape) / max(grey.shape)) ** 2
    ink, faintest, is_dark = ink_on_paper(grey, sigma, polarity)
    return _View(sheet, grey, ink, faintest, is_dark)


def _stretched(grey: Grey, polarity: Polarity) -> list[Reading]:
    """Read an image both ways without a look at the paper: it may hardly show any."""
    counts = levels.histogram(grey)
    low, high = levels.percentile(counts, 0.02), levels.percentile(counts, 0.98)
    if high - low < 2 * FAINTEST:
        return []
    window = np.ones((round(max(grey.shape) * _WINDOW) | 1,) * 2, np.uint8)
    # Under uneven light the paper is what is brightest nearby, or darkest.
    hats = {
        True: uint8(cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, window)),
        False: uint8(cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, window)),
    }
    if all(is_noise(grey, hat) for hat in hats.values()):
        return []
    steps = np.clip((levels.VALUES - low) * (255 / (high - low)), 0, 255).astype(np.uint8)
    light = uint8(cv2.LUT(grey, steps))
    found = []
    for is_dark in (True, False):
        if polarity == ("light" if is_dark else "dark"):
            continue
        bright = 255 - light if is_dark else light
        plain = _read(_View(grey, grey, bright, _STRETCHED, is_dark))
        found.append(plain)
        if max(grey.shape) >= _TINY:
            near = _read(_View(grey, grey, hats[is_dark], _STRETCHED, is_dark))
            found.append(replace(near, doubt=max(near.doubt, plain.doubt) + _NEARBY))
    return [replace(way, is_close=True) for way in found if way.image is not None]


def _read(
    view: _View, *, with_lines: bool = False, without_foot: bool = False, doubt: float = 0.0
) -> Reading:
    """Find the digit in a view, and make it like MNIST's."""
    ink = view.ink
    notes: set[str] = set()
    has_foot = False
    masks = masks_of(ink, view.faintest)
    if masks is not None and not with_lines:
        ruled = lines.find(masks[0], without_foot=without_foot)
        has_foot = ruled.is_open
        if ruled.count:
            notes.add("lines removed")
            ink = uint8(cv2.multiply(ink, 1 - ruled.mask))
            # They may have been darker than the digit is.
            masks = masks_of(ink, view.faintest)
    if masks is None:
        return Reading(None, view.is_dark, tuple(notes), is_close=not notes or has_foot)
    digit = parts.select(*masks, view.scale)
    if digit is None or digit.is_dust:
        return Reading(None, view.is_dark, tuple(notes), is_close=view.is_unclear)
    box = strokes.box(digit.mask, 1)
    if view.scale > 1 and max(_shape(box)) < _SHORT:
        closer = view.sheet[_around(box, view.scale)]
        return first_reading(closer, "dark" if view.is_dark else "light")
    cropped = strokes.brightened(ink[box], digit.mask[box])
    small, note = strokes.scaled(cropped)
    notes.update(digit.removed, [note] if note else [])
    edge = _share_at_edges(digit.mask)
    share = np.count_nonzero(digit.mask) / digit.mask.size
    return Reading(
        framing.placed(small),
        view.is_dark,
        tuple(sorted(notes)),
        doubt=doubt + _FILLED * (edge + share),
        is_close=edge > _AT_EDGES or has_foot or view.is_unclear,
        has_foot=has_foot,
        steps=Steps(view.grey, ink, digit.mask, cropped),
    )


def _share_at_edges(mask: Grey) -> float:
    edges = (mask[0], mask[-1], mask[:, 0], mask[:, -1])
    inked: int = sum(int(np.count_nonzero(edge)) for edge in edges)
    return inked / (2 * int(sum(mask.shape)))


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
