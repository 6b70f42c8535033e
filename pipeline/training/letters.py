"""Letters as hands write them: strokes through points, in a box from 0 to 1, y downwards.

Letters that hands write as a digit are left out: I, O, S, Z, b, g, l, o, q, s and z.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]


class Stroke(NamedTuple):
    """A stroke of a letter."""

    points: Points
    """x and y of each, shape ``(n, 2)``."""
    is_smooth: bool
    """Whether it goes through the points as a curve; otherwise it has corners there."""


def _strokes(text: str) -> tuple[Stroke, ...]:
    """Return strokes, of which each is a list of hundredths; after ~, a smooth one."""
    return tuple(
        Stroke(np.array(stroke.strip("~ ").split(), float).reshape(-1, 2) / 100, "~" in stroke)
        for stroke in text.split("/")
    )


LETTERS = tuple(
    map(
        _strokes,
        (
            "0 100 50 0 100 100 / 20 60 80 60",  # A
            "0 0 0 100 / ~0 0 70 5 80 25 60 45 0 48 / ~0 48 80 55 95 75 70 97 0 100",
            "~95 15 60 0 15 20 0 50 15 80 60 100 95 85",
            "0 0 0 100 / ~0 0 60 5 95 40 90 70 50 97 0 100",
            "100 0 0 0 0 100 100 100 / 0 50 80 50",  # E
            "100 0 0 0 0 100 / 0 45 75 45",
            "~90 12 50 0 10 25 0 60 30 97 75 95 95 60 / 50 58 100 58",
            "0 0 0 100 / 100 0 100 100 / 0 50 100 50",
            "~80 0 80 70 50 100 10 85 / 40 0 100 0",  # J
            "0 0 0 100 / 90 0 0 55 / 20 45 100 100",
            "0 0 0 100 90 100",
            "0 100 10 0 50 70 90 0 100 100",
            "0 100 0 0 100 100 100 0",  # N
            "0 0 0 100 / ~0 0 70 2 95 25 70 50 0 52",
            "~50 0 10 20 0 55 30 95 70 95 100 55 85 15 50 0 / 60 65 100 100",
            "0 0 0 100 / ~0 0 70 2 95 25 70 50 0 52 / 30 52 100 100",
            "0 0 100 0 / 50 0 50 100",  # T
            "~0 0 0 60 30 98 70 98 100 60 100 0",
            "0 0 50 100 100 0",
            "0 0 25 100 50 30 75 100 100 0",
            "0 0 100 100 / 100 0 0 100",  # X
            "0 0 50 50 / 100 0 50 50 50 100",
            "~80 45 45 30 10 55 15 90 50 95 80 70 / 82 35 85 100",  # a
            "~80 50 45 38 10 60 15 92 50 96 82 70 / 85 0 85 100",
            "~10 60 90 58 80 30 40 25 5 60 30 97 90 90",
            "~90 10 60 0 40 20 40 100 / 10 45 80 45",
            "0 0 0 100 / ~0 60 40 40 80 55 80 100",  # h
            "0 0 0 100 / 70 40 0 70 / 20 62 80 100",
            "0 30 0 100 / ~0 50 25 30 50 50 50 100 / ~50 50 75 30 100 50 100 100",
            "0 30 0 100 / ~0 50 40 30 80 50 80 100",
            "0 30 0 100 / ~0 60 30 35 80 35",  # r
            "~45 0 45 80 65 100 90 90 / 10 35 85 35",
            "~0 30 0 80 40 100 80 75 / 80 30 85 100",
            "~0 30 10 85 50 55 60 95 100 30",
            "0 20 45 60 / 90 20 20 100",  # y
            "0 20 0 100 / ~0 75 30 90 60 70 / 60 20 65 80 100 75",  # mu
        ),
    )
)
"""The strokes of each letter."""
