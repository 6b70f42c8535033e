"""The process that `memory` measures: it imports `nn`, trains, and prints its peak memory.

Without a training it prints the memory of an interpreter that has imported `nn`.
"""

import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.network import array_files
from benchmarks.peak_memory import peak
from nn import Epoch, NeuralNetwork

# All buffers are in use by the end of the second epoch.
_EPOCHS = 2


class Enough(Exception):  # noqa: N818 - not an error: it ends a training after some epochs
    """The training has run long enough."""


def main(params: dict[str, Any], directory: Path) -> None:
    """Train for some epochs, and print the peak."""
    peaks = []

    def on_epoch(epoch: Epoch) -> None:
        peaks.append(peak())
        if epoch.number == _EPOCHS:
            raise Enough

    try:
        NeuralNetwork.from_params(params).fit(
            *array_files.load(directory, "train"),
            array_files.load(directory, "test"),
            on_epoch=on_epoch,
        )
    except Enough:
        print(max(peaks))


if __name__ == "__main__":
    if sys.argv[1:]:
        main(json.loads(sys.argv[1]), Path(sys.argv[2]))
    else:
        print(peak())
