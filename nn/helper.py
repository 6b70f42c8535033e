"""What a helper process of a training does."""

import json
import signal
import sys
from contextlib import suppress

import numpy as np

from nn.errors import DivergedError
from nn.hyperparameters import Hyperparameters
from nn.team import Team, single_threaded_blas
from nn.training import Training


def main() -> None:
    """Take a task from standard input, and then the number of each epoch to help with."""
    # An interrupt is for the process that leads, which ends its helpers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    order = json.loads(sys.stdin.readline())
    team = Team(order["size"], order["rank"], order["memory"], order["leader"])
    task = order["task"]
    x = team.zeros(tuple(task["shape"]), task["dtype"])
    y = team.zeros(len(x), np.int64)
    with single_threaded_blas(), np.errstate(over="ignore", invalid="ignore"):
        training = Training(
            Hyperparameters.from_params(task["params"]), x, y, task["image"], task["seed"], team
        )
        # Where the training diverges, the process that leads finds it too, and says so.
        with suppress(DivergedError):
            for line in sys.stdin:
                training.epoch = int(line)
                training.run_epoch()
