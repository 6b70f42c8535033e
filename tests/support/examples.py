"""How many examples Hypothesis tries."""

import os

VARIABLE = "ALL_EXAMPLES"
"""Environment variable that `--long` and `--torture` set, before modules of tests are imported."""


def examples(count: int) -> int:
    """Return a count of examples: a quarter of it, unless the tests are to take long."""
    return count if VARIABLE in os.environ else max(count // 4, 3)
