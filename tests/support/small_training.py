"""A training that takes milliseconds: here, or in a process of its own that may be killed.

As a module, ``python -m small_training TASK`` trains as the task says, in JSON:

- ``params``: changes to the parameters of `network`
- ``checkpoint``: a path, or null
- ``halt``: a place to stay at, of those that it writes to standard output as it gets there:
  ``work`` when the helpers have been told what to do, ``write N`` when the Nth checkpoint is
  written and not yet in its place, ``epoch N`` when an epoch has ended
"""

import json
import os
import signal
import sys
import time

import numpy as np

import nn.training
from nn import Distortion, NeuralNetwork
from nn.team import Team

SIZES = (36, 8, 3)
# More than one process prepares at a time, so that a helper has some of them too.
EXAMPLES = 81

# A network of this size is trained by one process, unless its work counts for more.
THRESHOLDS = ("_WORTH_A_PIECE", "_WORTH_A_PROCESS", "_FEWEST_EXAMPLES")

# Everything that draws at random in a training.
RANDOM = {
    "activation": "relu",
    "schedule": "cosine",
    "warmup_epochs": 0.5,
    "learning_rate": 0.02,
    "l2": 0.1,
    "dropout": 0.3,
    "label_smoothing": 0.1,
    "distortion": Distortion(),
}


def examples(count: int = EXAMPLES, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Images of 6 by 6 pixels, bytes, that their labels tell apart; and the labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    images = rng.integers(0, 100, (count, 6, 6), np.uint8)
    for label in range(3):
        images[labels == label, 2 * label : 2 * label + 2] += 150
    return images, labels


def network(**changes: object) -> NeuralNetwork:
    """A small network for them, and 3 epochs of 3 batches, the last one shorter."""
    return NeuralNetwork(**{"sizes": SIZES, "batch_size": 32, "epochs": 3, "seed": 1, **changes})


def untrained(like: NeuralNetwork, images: np.ndarray, labels: np.ndarray) -> NeuralNetwork:
    """The network as its training starts: one step on, too short for float32 to tell."""
    changes = {"learning_rate": 1e-30, "optimizer": "sgd", "epochs": 1, "warmup_epochs": 0}
    return NeuralNetwork.from_params(like.get_params() | changes).fit(images, labels)


def seconds_aside(history: list) -> list[tuple]:
    """Records of epochs, without what the clock said."""
    return [
        tuple(getattr(epoch, name) for name in epoch.__slots__ if name != "seconds")
        for epoch in history
    ]


def _main() -> None:
    task = json.loads(sys.argv[1])
    for name in THRESHOLDS:
        setattr(nn.training, name, 1)
    written = 0

    def reach(place: str) -> None:
        print(place, flush=True)  # noqa: T201
        if place == task["halt"]:
            time.sleep(600)

    def fsync(descriptor: int, fsync=os.fsync) -> None:
        nonlocal written
        fsync(descriptor)
        written += 1
        reach(f"write {written}")

    def tell(team: Team, message: str, tell=Team.tell) -> None:
        tell(team, message)
        reach("work")

    # A shell that starts a process in the background has it ignore interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.fsync = fsync
    Team.tell = tell
    network(**task["params"]).fit(
        *examples(),
        checkpoint=task["checkpoint"],
        on_epoch=lambda epoch: reach(f"epoch {epoch.number}"),
    )


if __name__ == "__main__":
    _main()
