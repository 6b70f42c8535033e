"""How the learning rate changes during a training."""

import math

SCHEDULES = ("constant", "cosine")


def learning_rate(peak: float, schedule: str, step: float, steps: int, warmup: int) -> float:
    """Return the learning rate of a step, counted from 0.

    It rises linearly for `warmup` steps (Goyal et al. 2017, arXiv:1706.02677, section 2.2), and
    then follows the schedule until the end of `steps`: constant, or a cosine without restarts
    (Loshchilov and Hutter 2017, arXiv:1608.03983).
    """
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    if schedule == "constant":
        return peak
    progress = (step - warmup) / max(1, steps - warmup)
    return peak * ((1 + math.cos(math.pi * progress)) / 2)
