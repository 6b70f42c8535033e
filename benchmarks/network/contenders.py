"""Those that `speed` measures: each a process of its own, that waits for its turn.

In one process PyTorch's and OpenBLAS's threads and allocators would disturb each other. Started
with a `Contender` in JSON and a directory of images, the process does one epoch to warm up (a racer
only prepares itself), says ``ready`` (or ``missing`` and which library), and then, for every line
it gets, does one epoch and answers with its seconds, and with its accuracy if that is measured.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from benchmarks.network import array_files
from benchmarks.network.racers import RACERS
from nn import Distortion, validation
from nn.distortion import Distorter
from nn.hyperparameters import Hyperparameters
from nn.session import training_session, useful_workers

_ROOT = Path(__file__).parents[2]
_LEARNING_RATE = 0.1

# Epochs of a training that a user would start: they decide whether further processes pay.
_EPOCHS = 30

SGEMM_SIZE = 2048
# Products in an "epoch" of sgemm: together they take a second or two.
SGEMMS = 12


@dataclass(frozen=True)
class Contender:
    """Who takes part, and with how many threads."""

    kind: str
    """A key of `KINDS`."""
    threads: int = 1
    options: dict[str, Any] = field(default_factory=dict)


class Contestant:
    """A contender's process.

    Raises
    ------
    ModuleNotFoundError
        Where the library it stands for is not installed.
    """

    def __init__(self, contender: Contender, directory: Path) -> None:
        threads = str(contender.threads)
        names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "benchmarks.network.contenders",
                json.dumps(asdict(contender)),
                str(directory),
            ],
            cwd=_ROOT,
            env={**os.environ, **dict.fromkeys(names, threads)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        answer = self._answer()
        if answer != "ready":
            self._end()
            raise ModuleNotFoundError(f"{answer.removeprefix('missing ')} is not installed")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    def seconds(self) -> float:
        """Return what one more epoch takes."""
        return self.epoch()[0]

    def epoch(self) -> list[float]:
        """Return the seconds of one more epoch, and the accuracy after it if it is measured."""
        print("go", file=self._process.stdin, flush=True)
        return [float(figure) for figure in self._answer().split()]

    def _answer(self) -> str:
        assert self._process.stdout
        line = self._process.stdout.readline().strip()
        if not line:
            raise RuntimeError(f"a contender ended with status {self._process.wait()}")
        return line

    def _end(self) -> None:
        self._process.communicate()


def _ours(images: np.ndarray, labels: np.ndarray, threads: int, **params: Any) -> Iterator[None]:
    """Train with `nn`, from uint8 images to the loss and accuracy of the epoch."""
    distortion = Distortion() if params.pop("distorted", False) else None
    hyperparameters = Hyperparameters(
        **{"activation": "relu", "learning_rate": _LEARNING_RATE, "epochs": _EPOCHS} | params,
        distortion=distortion,
    )
    size = useful_workers(hyperparameters, len(images), threads)
    rows = images.reshape(len(images), -1)
    with training_session(hyperparameters, rows, labels, images.shape[1:], 0, size) as training:
        while True:
            training.run_epoch()
            yield


def _torch(
    images: np.ndarray,
    labels: np.ndarray,
    threads: int,
    *,
    sizes: Sequence[int],
    batch_size: int,
    activation: str = "relu",
) -> Iterator[None]:
    """Train with PyTorch, from a tensor of float32 that is ready in memory."""
    import torch
    from torch import nn

    torch.set_num_threads(threads)
    x = torch.from_numpy(validation.scaled(images.reshape(len(images), -1)))
    y = torch.from_numpy(labels.astype(np.int64))
    activations = {"relu": nn.ReLU, "sigmoid": nn.Sigmoid}
    layers: list[nn.Module] = []
    for fan_in, fan_out in pairwise(sizes):
        layers += [nn.Linear(fan_in, fan_out), activations[activation]()]
    model = nn.Sequential(*layers[:-1])
    optimizer = torch.optim.SGD(model.parameters(), _LEARNING_RATE)
    loss = nn.CrossEntropyLoss()
    while True:
        order = torch.randperm(len(x))
        for chosen in order.split(batch_size):
            optimizer.zero_grad()
            loss(model(x.index_select(0, chosen)), y.index_select(0, chosen)).backward()
            optimizer.step()
        yield


def _scikit_learn(
    images: np.ndarray,
    labels: np.ndarray,
    threads: int,  # noqa: ARG001 - the environment says it
    *,
    sizes: Sequence[int],
    batch_size: int,
    dtype: str,
) -> Iterator[None]:
    """Train with scikit-learn, which computes in the type that it is given.

    Without momentum and decay, as the others.
    """
    from sklearn.neural_network import MLPClassifier

    x = (images.reshape(len(images), -1) / 255).astype(dtype)
    model = MLPClassifier(
        tuple(sizes[1:-1]),
        solver="sgd",
        alpha=0,
        batch_size=batch_size,
        learning_rate_init=_LEARNING_RATE,
        momentum=0,
        random_state=0,
    )
    classes = np.arange(sizes[-1])
    while True:
        model.partial_fit(x, labels, classes=classes)
        yield


def _one_by_one(
    images: np.ndarray,
    labels: np.ndarray,
    threads: int,  # noqa: ARG001 - the environment says it
    *,
    sizes: Sequence[int],
    batch_size: int,
    learning_rate: float,
) -> Iterator[None]:
    """Train as the network's ancestors do: float64 columns, backpropagated one at a time."""
    rng = np.random.default_rng(0)
    weights = [rng.standard_normal((out, into)) for into, out in pairwise(sizes)]
    biases = [rng.standard_normal((out, 1)) for out in sizes[1:]]
    pixels = images.reshape(len(images), -1, 1) / 255
    examples = list(zip(pixels, np.eye(sizes[-1])[labels][..., np.newaxis], strict=True))

    def gradient(x: np.ndarray, y: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return that of the quadratic cost for one example, for each layer."""
        activations = [x]
        for w, b in zip(weights, biases, strict=True):
            activations.append(1 / (1 + np.exp(-(w @ activations[-1] + b))))
        error = activations[-1] - y
        found = []
        for layer in reversed(range(len(weights))):
            a = activations[layer + 1]
            delta = error * a * (1 - a)
            found.append((delta @ activations[layer].T, delta))
            error = weights[layer].T @ delta
        return found[::-1]

    while True:
        rng.shuffle(examples)
        for start in range(0, len(examples), batch_size):
            batch = examples[start : start + batch_size]
            sums = [
                (np.zeros_like(w), np.zeros_like(b)) for w, b in zip(weights, biases, strict=True)
            ]
            for x, y in batch:
                sums = [
                    (w + more_w, b + more_b)
                    for (w, b), (more_w, more_b) in zip(sums, gradient(x, y), strict=True)
                ]
            rate = learning_rate / len(batch)
            for layer, (w, b) in enumerate(sums):
                weights[layer] = weights[layer] - rate * w
                biases[layer] = biases[layer] - rate * b
        yield


def _sgemm(images: np.ndarray, labels: np.ndarray, threads: int) -> Iterator[None]:  # noqa: ARG001
    """Multiply large matrices, as NumPy's BLAS does."""
    a, b = np.random.default_rng(0).random((2, SGEMM_SIZE, SGEMM_SIZE), np.float32)
    out = np.empty_like(a)
    while True:
        for _ in range(SGEMMS):
            np.matmul(a, b, out=out)
        yield


def _distortion(images: np.ndarray, labels: np.ndarray, threads: int) -> Iterator[None]:  # noqa: ARG001
    """Deform every image once, in pieces as a training takes them, from uint8."""
    shape = images.shape[1:]
    distorter = Distorter(Distortion(), shape)
    rng = np.random.default_rng(0)
    piece = np.empty((64, shape[0] * shape[1]), np.float32)
    rows = images.reshape(len(images), -1)
    while True:
        for start in range(0, len(rows), len(piece)):
            some = rows[start : start + len(piece)]
            distorter(validation.scaled(some, out=piece[: len(some)]), rng)
        yield


KINDS: Mapping[str, Callable[..., Iterator[Callable[[], float] | None]]] = {
    "ours": _ours,
    "torch": _torch,
    "scikit-learn": _scikit_learn,
    "one by one": _one_by_one,
    "sgemm": _sgemm,
    "distortion": _distortion,
    **RACERS,
}


def main(contender: Contender, directory: Path) -> None:
    """Run an epoch for every line of standard input."""
    images, labels = array_files.load(directory, "train")
    kind = KINDS[contender.kind]
    epochs = kind(images, labels, contender.threads, **contender.options)
    try:
        next(epochs)
    except ModuleNotFoundError as error:
        print("missing", error.name, flush=True)
        return
    print("ready", flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        measure = next(epochs)
        figures = [time.perf_counter() - started]
        if measure is not None:
            figures.append(measure())
        print(*figures, flush=True)
    epochs.close()


if __name__ == "__main__":
    main(Contender(**json.loads(sys.argv[1])), Path(sys.argv[2]))
