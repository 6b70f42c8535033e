"""An image of any size and polarity, read as MNIST's are: 28×28, ink bright on dark."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from pipeline.reading_prototype import components, framing, levels, lines, strokes
from pipeline.reading_prototype.paper import surface

Grey = NDArray[np.uint8]

_LONGEST = 256
_SHORT = 64
_FAINTEST = 12


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read an image."""

    image: Grey | None
    """Shape (28, 28); None if nothing is there."""
    is_dark_on_light: bool
    notes: tuple[str, ...] = ()
    doubt: float = 0.0
    """Log-odds against it beside the others, before anybody looked."""
    edge: float = 0.0
    ink: Grey | None = None


def read(grey: Grey, ink: str = "auto") -> list[Reading]:
    """Return the ways to read an image, the likeliest first."""
    sheet = grey
    grey = _smaller(sheet)
    scale = max(sheet.shape) / max(grey.shape)
    sigma = max(grey.shape) / 150 / scale**2
    if sigma > 0.5:
        grey = cv2.GaussianBlur(grey, (0, 0), sigma)
    paper = np.clip(np.rint(surface(grey)), 0, 255).astype(np.uint8)
    dark, light = cv2.subtract(paper, grey), cv2.subtract(grey, paper)
    counts = levels.histogram(dark), levels.histogram(light)
    cubes = [float(one @ levels.VALUES**3) for one in counts]
    is_dark = cubes[0] >= cubes[1]
    noise = levels.percentile(counts[0] + counts[1] - np.eye(256)[0] * grey.size, 0.5)
    faint = max(_FAINTEST, 6 * noise)
    wanted = {"dark": [True], "light": [False]}.get(ink, [is_dark])
    found = []
    for polarity in wanted:
        found.append(_one(sheet, dark if polarity else light, faint, polarity, scale))
    first = found[0]
    if ink == "auto" and (first.image is None or first.edge > 0.04):
        found += _stretched(grey, scale, sheet)
    return found


def _stretched(grey, scale, sheet):
    counts = levels.histogram(grey)
    low, high = levels.percentile(counts, 0.02), levels.percentile(counts, 0.98)
    if high - low < 2 * _FAINTEST:
        return []
    light = np.clip((grey.astype(np.float32) - low) * (255 / (high - low)), 0, 255).astype(np.uint8)
    found = []
    for polarity, ink in ((True, 255 - light), (False, light)):
        one = _one(None, ink, 40, polarity, scale)
        if one.image is not None:
            found.append(one)
    return found


def _one(sheet, ink, faint, polarity, scale):
    notes = []
    counts = levels.histogram(ink)
    counts[: int(faint) + 1] = 0
    if not counts.any():
        return Reading(None, polarity)
    strong = levels.percentile(counts, 0.9)
    low_level = max(faint, 0.3 * strong)
    _, low = cv2.threshold(ink, low_level, 1, cv2.THRESH_BINARY)
    found = lines.find(low)
    if found:
        notes.append("lines")
        ink = cv2.multiply(ink, 1 - found.removed)
        counts = levels.histogram(ink)
        counts[: int(faint) + 1] = 0
        if not counts.any():
            return Reading(None, polarity, tuple(notes))
        strong = levels.percentile(counts, 0.9)
        low_level = max(faint, 0.3 * strong)
        _, low = cv2.threshold(ink, low_level, 1, cv2.THRESH_BINARY)
    _, high = cv2.threshold(ink, max(faint, 0.5 * strong), 1, cv2.THRESH_BINARY)
    parts = components.select(low, high, scale)
    if parts is None or parts.is_dust:
        return Reading(None, polarity, tuple(notes))
    for name in ("specks", "neighbours", "underlines"):
        if getattr(parts, name):
            notes.append(name)
    rows, columns = (np.flatnonzero(parts.mask.any(axis=axis)) for axis in (1, 0))
    box = slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)
    if sheet is not None and scale > 1 and max(np.ptp(rows), np.ptp(columns)) + 1 < _SHORT:
        closer = sheet[_around(box, scale)]
        if closer.size < sheet.size:
            again = read(closer, "dark" if polarity else "light")
            return again[0]
    near = cv2.dilate(parts.mask[box], np.ones((3, 3), np.uint8))
    own = cv2.multiply(ink[box], near)
    level = max(1, int(np.percentile(own[parts.mask[box] > 0], 75)))
    k = max(3, max(own.shape) // 8) | 1
    local = cv2.dilate(own, np.ones((k, k), np.uint8))
    local = cv2.blur(local, (k, k)).astype(np.float32)
    local = np.minimum(np.maximum(local * 0.85, 0.25 * level), level)
    bright = np.clip(own * (255 / local), 0, 255).astype(np.uint8)
    bright = bright[strokes._box(bright)]
    small, note = strokes.scaled(bright)
    if note:
        notes.append(note)
    m = parts.mask
    ring = int(m[0].sum()) + int(m[-1].sum()) + int(m[:, 0].sum()) + int(m[:, -1].sum())
    edge = ring / (2 * sum(m.shape))
    return Reading(framing.placed(small), polarity, tuple(notes), edge=edge, ink=ink)


def _around(box, scale):
    rows, columns = box
    margin = max(rows.stop - rows.start, columns.stop - columns.start) / 2

    def wider(edge):
        return slice(max(0, int((edge.start - margin) * scale)), int((edge.stop + margin) * scale))

    return wider(rows), wider(columns)


def _smaller(grey):
    scale = _LONGEST / max(grey.shape)
    if scale >= 1:
        return grey
    height, width = (max(1, round(length * scale)) for length in grey.shape)
    return cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
