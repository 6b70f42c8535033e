"""Ink told from paper: how far pixels are from the paper, and where they are far enough."""

from typing import Literal

import cv2
import numpy as np

from pipeline.images import levels, paper
from pipeline.images.levels import Grey, uint8

Polarity = Literal["auto", "dark", "light"]
"""Whether ink is darker or lighter than the paper: found out, or told."""

# Of 255: what is nearer to the paper than this is not ink; and how many times the noise.
FAINTEST = 12
_NOISE = 6

# Of the strongest ink: what is ink for sure, and what may be.
_CERTAIN = 0.5
_POSSIBLE = 0.22

# How many times the noise ink is away from the paper nearby, if there is any.
_NOISY = 8

# An image with fewer pixels along its longer edge has strokes as fine as noise.
_SMALL = 40


def ink_on_paper(grey: Grey, sigma: float, polarity: Polarity) -> tuple[Grey, float, bool]:
    """Return how far from the paper pixels are, the faintest ink, and whether ink is dark.

    Parameters
    ----------
    sigma : float
        Standard deviation of the blur that takes noise away, in pixels.
    """
    if sigma > 0.5:
        grey = uint8(cv2.GaussianBlur(grey, (0, 0), sigma))
    surface = cv2.convertScaleAbs(np.maximum(paper.surface(grey), 0))
    dark, light = uint8(cv2.subtract(surface, grey)), uint8(cv2.subtract(grey, surface))
    darker, lighter = levels.histogram(dark), levels.histogram(light)
    away = darker + lighter
    # What is darker is not lighter: each pixel counts once.
    away[0] = grey.size - away[1:].sum()
    faintest = max(FAINTEST, _NOISE * levels.percentile(away, 0.5))
    is_dark = polarity == "dark"
    if polarity == "auto":
        # Ink is the lesser part and the farther from the paper: the longer tail is its own.
        is_dark = bool((darker - lighter) @ levels.VALUES**3 >= 0)
    return dark if is_dark else light, faintest, is_dark


def masks_of(ink: Grey, faintest: float) -> tuple[Grey, Grey] | None:
    """Return where ink may be, and where it is for sure; None if there is none."""
    counts = levels.histogram(ink)
    counts[: int(faintest) + 1] = 0
    if not counts.any():
        return None
    strong = levels.percentile(counts, 0.9)
    possible, certain = (
        uint8(cv2.threshold(ink, max(faintest, share * strong), 1, cv2.THRESH_BINARY)[1])
        for share in (_POSSIBLE, _CERTAIN)
    )
    return possible, certain


def is_noise(grey: Grey, hat: Grey) -> bool:
    """Tell whether what differs from the paper nearby differs no more than neighbours do."""
    if max(grey.shape) < _SMALL or grey.shape[1] < 2:
        return False
    steps = cv2.absdiff(grey[:, 1:], grey[:, :-1])
    # Of normal noise the median of such a step is 0.95 of its standard deviation.
    noise = max(1, levels.percentile(levels.histogram(uint8(steps)), 0.5))
    return levels.percentile(levels.histogram(hat), 0.98) < max(2 * FAINTEST, _NOISY * noise)
