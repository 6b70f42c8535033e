"""Those that `speed` measures: each scores a directory in a process of its own, and tells.

Started with a kind and its arguments, the process scores the directory once to warm up, then once
for each line it gets, and answers with the seconds; at the end of its input, with its peak of
memory in bytes.
"""

import contextlib
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.peak_memory import peak
from nn import NeuralNetwork


def opencv(directory: Path) -> Callable[[], None]:
    """Read and decode, and nothing else: a bare loop."""
    import cv2

    names = [path.name for path in directory.iterdir()]

    def loop() -> None:
        for name in names:
            with open(directory / name, "rb") as file:  # noqa: PTH123 - as in a bare loop
                cv2.imdecode(np.frombuffer(file.read(), np.uint8), cv2.IMREAD_GRAYSCALE)

    return loop


def digits(directory: Path, processes: str) -> Callable[[], None]:
    """Score as `digits score --direct` does, in one process or in several."""
    from pipeline import score
    from pipeline.stages import run_stages_with
    from pipeline.stages.processes import worker_processes

    def loop() -> None:
        with contextlib.ExitStack() as stack:
            if processes == "2":
                stack.enter_context(run_stages_with(stack.enter_context(worker_processes())))
            output = stack.enter_context(tempfile.TemporaryDirectory())
            score(directory, Path(output))

    return loop


def torch(directory: Path, weights: str) -> Callable[[], None]:
    """Score as one would write it: a `DataLoader` with two workers, Pillow, the same weights."""
    import torch as library
    from PIL import Image
    from torch.utils.data import DataLoader, Dataset

    network = NeuralNetwork.from_bytes(Path(weights).read_bytes())
    layers: list[library.nn.Module] = []
    for layer in range(1, len(network.sizes)):
        linear = library.nn.Linear(*network.weights[layer].T.shape)
        linear.weight.data = library.from_numpy(network.weights[layer])
        linear.bias.data = library.from_numpy(network.biases[layer])
        layers += [linear, library.nn.ReLU()]
    model = library.nn.Sequential(*layers[:-1])

    class Images(Dataset[tuple[library.Tensor, str]]):
        def __init__(self) -> None:
            self._names = sorted(path.name for path in directory.iterdir())

        def __len__(self) -> int:
            return len(self._names)

        def __getitem__(self, index: int) -> tuple[library.Tensor, str]:
            name = self._names[index]
            pixels = np.asarray(Image.open(directory / name).convert("L"), np.float32) / 255
            return library.from_numpy(pixels.ravel()), name

    def loop() -> None:
        rows = []
        with library.inference_mode():
            for images, names in DataLoader(Images(), batch_size=1024, num_workers=2):
                confidence, prediction = library.softmax(model(images), dim=1).max(dim=1)
                rows += zip(names, prediction.tolist(), confidence.tolist(), strict=True)
        import pyarrow as pa
        import pyarrow.parquet as pq

        with tempfile.TemporaryDirectory() as output:
            columns = dict(
                zip(("path", "prediction", "confidence"), zip(*rows, strict=True), strict=True)
            )
            pq.write_table(pa.table({k: list(v) for k, v in columns.items()}), f"{output}/x")

    return loop


def main(kind: str, directory: str, *arguments: str) -> None:
    """Score whenever a line comes."""
    loop = {"opencv": opencv, "digits": digits, "torch": torch}[kind](Path(directory), *arguments)
    loop()
    print("ready", flush=True)
    for _ in sys.stdin:
        started = time.perf_counter()
        loop()
        print(time.perf_counter() - started, flush=True)
    print(peak(), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
