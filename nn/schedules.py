"""How the learning rate changes in the course of a training."""

import math
from collections.abc import Callable

SCHEDULES: dict[str, Callable[[float], float]] = {
    "constant": lambda progress: 1.0,  # noqa: ARG005
    # Loshchilov and Hutter 2017, arXiv:1608.03983, without restarts.
    "cosine": lambda progress: (1 + math.cos(math.pi * progress)) / 2,
}
"""Each gives the share of the learning rate at a progress from 0 to 1."""


def learning_rate(peak: float, schedule: str, step: int, steps: int, warmup: int) -> float:
    """Return the learning rate of a step, counted from 0.

    It rises in equal parts for `warmup` steps, and then follows the schedule to the end of
    `steps` (Goyal et al. 2017, arXiv:1706.02677, section 2.2).
    """
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    return peak * SCHEDULES[schedule]((step - warmup) / max(1, steps - warmup))
