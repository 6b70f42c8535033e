"""Which of the readings of an image is the right one: evidence decides."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pipeline.reading_prototype.reading import Ink, Reading, first_reading, other_readings

Grey = NDArray[np.uint8]
Judge = Callable[[NDArray[np.uint8]], NDArray[np.floating]]
"""From images, shape (n, 28, 28), to the probability of each digit, shape (n, 10)."""

# An image that is read with less confidence is read in other ways too.
_CONFIDENT = 0.9

# Probabilities nearer to 0 and 1 than this say no more.
_LEAST = 0.001

# Log-odds: how far the rest of a batch decides on an image's polarity.
_MOST_LEAN = 4.0


def best_readings(
    sheets: Sequence[Grey], ink: Ink = "auto", judge: Judge | None = None
) -> list[Reading]:
    """Return the best reading of each image of a batch."""
    found = [[first_reading(sheet, ink)] for sheet in sheets]
    merits = [_merits(found, range(len(found)), judge)] if judge else []
    first = [one[0] for one in merits[0]] if merits else [0.0] * len(found)
    confident = _log_odds(_CONFIDENT)
    is_close = [
        ways[0].is_close or (judge is not None and merit < confident)
        for ways, merit in zip(found, first, strict=True)
    ]
    votes = [ways[0].is_dark_on_light for ways, close in zip(found, is_close, strict=True) if not close]
    lean = _lean(votes)
    if ink == "auto" and abs(lean) > 1:
        # One that is alone with its polarity is looked at again.
        is_close = [
            close or (ways[0].is_dark_on_light != (lean > 0))
            for ways, close in zip(found, is_close, strict=True)
        ]
    close = [place for place, value in enumerate(is_close) if value]
    for place in close:
        found[place] += other_readings(sheets[place], ink, found[place][0])
    if not close:
        return [ways[0] for ways in found]
    scores = _scores(found, close, judge)
    # What is clear among them votes too.
    for ways, score in zip((found[place] for place in close), scores, strict=True):
        order = np.argsort(score)[::-1]
        best = ways[order[0]]
        others = [score[k] for k in order[1:] if ways[k].is_dark_on_light != best.is_dark_on_light]
        if best.image is not None and (not others or score[order[0]] - max(others) > 2):
            votes.append(best.is_dark_on_light)
    lean = _lean(votes) if ink == "auto" else 0.0
    for place, score in zip(close, scores, strict=True):
        ways = found[place]
        leaning = [
            value + (lean / 2 if way.is_dark_on_light else -lean / 2)
            for way, value in zip(ways, score, strict=True)
        ]
        ways[0] = ways[int(np.argmax(leaning))]
    return [ways[0] for ways in found]


def _merits(found, places, judge):
    images = [way.image for place in places for way in found[place] if way.image is not None]
    values = iter(())
    if images:
        values = iter(_log_odds(judge(np.array(images)).max(axis=1)).tolist())
    return [
        [next(values) if way.image is not None else -20.0 for way in found[place]]
        for place in places
    ]


def _scores(found, places, judge):
    if judge is None:
        return [
            [-way.doubt - (20.0 if way.image is None else 0) for way in found[place]]
            for place in places
        ]
    return [
        [merit - way.doubt for way, merit in zip(found[place], merits, strict=True)]
        for place, merits in zip(places, _merits(found, places, judge), strict=True)
    ]


def _log_odds(probability):
    p = np.clip(probability, _LEAST, 1 - _LEAST)
    return np.log(p / (1 - p))


def _lean(votes: Sequence[bool]) -> float:
    dark = sum(votes)
    return float(np.clip(2 * np.log((dark + 1) / (len(votes) - dark + 1)), -_MOST_LEAN, _MOST_LEAN))
