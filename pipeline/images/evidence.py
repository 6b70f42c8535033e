"""Which of the readings of an image is the right one: evidence decides.

How an image looks speaks first: ink is the lesser part and leaves the edges free. The network's
own answer for each reading is evidence too, and so is the polarity of the rest of the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pipeline.images.ink import Polarity
from pipeline.images.levels import Grey
from pipeline.images.readings import (
    Reading,
    first_reading,
    other_readings,
    smaller,
)

Judge = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
"""From images, shape (n, 28, 28), to how likely each is a digit that was read right, in [0, 1]."""

# An image that is read with less confidence is read in other ways too.
_CONFIDENT = 0.9

# What is more or less likely than this is no more evidence.
_MOST_LIKELY = 0.999

# Log-odds of a reading in which nothing is to be seen.
_NOTHING = -20.0

# Log-odds: by how much the best reading leads if its polarity counts for the batch, how much the
# batch says for each time that a polarity is the more frequent one, and at most.
_CLEAR = 2.0
_FOR_EACH = 2.0
_MOST = 4.0


class Candidates:
    """The images of a batch, each with the ways to read it."""

    def __init__(self, polarity: Polarity = "auto") -> None:
        self._polarity = polarity
        self._sheets: list[Grey] = []
        self._ways: list[list[Reading]] = []

    def add(self, sheet: Grey) -> None:
        """Read one more image in the likeliest way."""
        # Of a batch of large images only what is worked on stays in memory.
        grey = smaller(sheet)
        first = first_reading(sheet, self._polarity, grey)
        self._sheets.append(grey)
        self._ways.append([_without_steps(first)])

    def best(self, judge: Judge | None) -> list[Reading]:
        """Return the best reading of each image, in order.

        Parameters
        ----------
        judge : callable, optional
            If there is none, each image is read for itself, by what is seen before a network is
            asked: so it is read alike in every batch.
        """
        close = self._in_doubt(judge)
        for index in close:
            ways = self._ways[index]
            others = other_readings(self._sheets[index], self._polarity, ways[0])
            ways += map(_without_steps, others)
        scores = self._scores(close, judge)
        lean = self._lean(close, scores) if judge is not None else 0.0
        best = [ways[0] for ways in self._ways]
        for index, score in zip(close, scores, strict=True):
            ways = self._ways[index]
            leaning = [
                value + (lean if way.is_dark_on_light else -lean) / 2
                for way, value in zip(ways, score, strict=True)
            ]
            best[index] = ways[int(np.argmax(leaning))]
        return best

    def _in_doubt(self, judge: Judge | None) -> list[int]:
        """Return the images that are to be read in other ways too."""
        is_close = [ways[0].is_close for ways in self._ways]
        if judge is None:
            return [index for index, close in enumerate(is_close) if close]
        confident = float(_log_odds(np.float32(_CONFIDENT)))
        merits = self._merits(range(len(self._ways)), judge)
        is_close = [
            close or (ways[0].image is not None and merit[0] < confident)
            for close, ways, merit in zip(is_close, self._ways, merits, strict=True)
        ]
        lean = _lean(
            [
                ways[0].is_dark_on_light
                for ways, close in zip(self._ways, is_close, strict=True)
                if not close
            ]
        )
        return [
            index
            for index, ways in enumerate(self._ways)
            # One that differs from its batch is looked at again.
            if is_close[index]
            or (
                ways[0].image is not None
                and self._polarity == "auto"
                and lean * (ways[0].is_dark_on_light - 0.5) < -0.5
            )
        ]

    def _lean(self, close: Sequence[int], scores: Sequence[Sequence[float]]) -> float:
        """Return the log-odds that an image of this batch is dark on light."""
        if self._polarity != "auto":
            return 0.0
        in_doubt = set(close)
        votes = [
            ways[0].is_dark_on_light
            for index, ways in enumerate(self._ways)
            if index not in in_doubt
        ]
        for index, score in zip(close, scores, strict=True):
            ways = self._ways[index]
            best = int(np.argmax(score))
            is_dark = ways[best].is_dark_on_light
            against = [
                value
                for way, value in zip(ways, score, strict=True)
                if way.is_dark_on_light != is_dark
            ]
            if ways[best].image is not None and score[best] - max(against, default=0) > _CLEAR:
                votes.append(is_dark)
        return _lean(votes)

    def _scores(self, indices: Sequence[int], judge: Judge | None) -> list[list[float]]:
        """Return the log-odds of each reading of some images."""
        merits = self._merits(indices, judge)
        return [
            [value - way.doubt for way, value in zip(self._ways[index], merit, strict=True)]
            for index, merit in zip(indices, merits, strict=True)
        ]

    def _merits(self, indices: Iterable[int], judge: Judge | None) -> list[list[float]]:
        """Return what the network says for each reading of some images, as log-odds."""
        every = [self._ways[index] for index in indices]
        images = [way.image for ways in every for way in ways if way.image is not None]
        values = np.zeros(len(images), np.float32)
        if images and judge is not None:
            values = _log_odds(judge(np.array(images)))
        answers = iter(values.tolist())
        return [
            [_NOTHING if way.image is None else next(answers) for way in ways] for ways in every
        ]


def _without_steps(reading: Reading) -> Reading:
    return replace(reading, steps=None)


def _log_odds(probability: NDArray[np.float32] | np.float32) -> NDArray[np.float32]:
    clipped = np.clip(probability, 1 - _MOST_LIKELY, _MOST_LIKELY)
    return np.asarray(np.log(clipped / (1 - clipped)), np.float32)


def _lean(votes: Sequence[bool]) -> float:
    """Return the log-odds of dark on light, after those that were clear."""
    dark = sum(votes)
    odds = np.log((dark + 1) / (len(votes) - dark + 1))
    return float(np.clip(_FOR_EACH * odds, -_MOST, _MOST))
