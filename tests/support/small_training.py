"""A training that takes milliseconds: in this process, or in another one that a test kills.

As a module, ``python -m small_training TASK`` runs a training. The task is JSON:

- ``params``: changes to the parameters of `network`
- ``checkpoint``: a path, or null
- ``halt``: the point at which it waits to be killed, or null. It prints each point it reaches:
  ``work`` when the workers have been told to start an epoch, ``write N`` when the Nth checkpoint
  is written but not yet renamed, ``epoch N`` when an epoch has ended
"""

import json
import os
import signal
import stat
import sys
import time

import numpy as np

import nn.session
from nn import Distortion, NeuralNetwork, Style
from nn.parallel.workers import Workers

SIZES = (36, 8, 3)
# More than one process prepares at a time, so that a worker gets some of them.
EXAMPLES = 81

# A network of this size is trained by one process, unless these are set to 1.
THRESHOLDS = (
    "_MIN_MULTIPLICATIONS_PER_PIECE",
    "_MIN_MULTIPLICATIONS_PER_PROCESS",
    "_MIN_EXAMPLES_PER_PIECE",
)

# Everything in a training that is random.
RANDOM = {
    "activation": "relu",
    "schedule": "cosine",
    "warmup_epochs": 0.5,
    "learning_rate": 0.02,
    "l2": 0.1,
    "dropout": 0.3,
    "label_smoothing": 0.1,
    "skipping": 0.3,
    "distortion": Distortion(),
    "style": Style(),
}


def examples(count: int = EXAMPLES, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Images of 6x6 pixels (uint8) with a different pattern for each label, and the labels."""
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    images = rng.integers(0, 100, (count, 6, 6), np.uint8)
    for label in range(3):
        images[labels == label, 2 * label : 2 * label + 2] += 150
    return images, labels


def network(**changes: object) -> NeuralNetwork:
    """A small network for `examples`, with 3 epochs of 3 batches, the last of which is shorter."""
    return NeuralNetwork(**{"sizes": SIZES, "batch_size": 32, "epochs": 3, "seed": 1, **changes})


def untrained(like: NeuralNetwork, images: np.ndarray, labels: np.ndarray) -> NeuralNetwork:
    """The network at the start of its training (after one step too short to change a float32)."""
    changes = {"learning_rate": 1e-30, "optimizer": "sgd", "epochs": 1, "warmup_epochs": 0}
    return NeuralNetwork.from_params(like.get_params() | changes).fit(images, labels)


def without_seconds(history: list) -> list[tuple]:
    """Records of epochs without their durations."""
    return [
        tuple(getattr(epoch, name) for name in epoch.__slots__ if name != "seconds")
        for epoch in history
    ]


def _main() -> None:
    task = json.loads(sys.argv[1])
    for name in THRESHOLDS:
        setattr(nn.session, name, 1)
    written = 0

    def reach(point: str) -> None:
        print(point, flush=True)  # noqa: T201
        if point == task["halt"]:
            time.sleep(600)

    def fsync(descriptor: int, fsync=os.fsync) -> None:
        nonlocal written
        fsync(descriptor)
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            written += 1
            reach(f"write {written}")

    def broadcast(workers: Workers, message: str, broadcast=Workers.broadcast) -> None:
        broadcast(workers, message)
        reach("work")

    # A process that a shell starts in the background ignores interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.fsync = fsync
    Workers.broadcast = broadcast
    network(**task["params"]).fit(
        *examples(),
        checkpoint=task["checkpoint"],
        on_epoch=lambda epoch: reach(f"epoch {epoch.number}"),
    )


if __name__ == "__main__":
    _main()
