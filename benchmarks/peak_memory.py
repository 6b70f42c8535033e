"""The process that `network_memory` measures: it imports `nn`, trains, and tells its peak.

Given nothing to train, it tells that of the interpreter with `nn` alone. The peak is VmHWM of
Linux, summed over the process and its helpers: arrays that they share count for each of them.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from benchmarks import array_files
from nn import Epoch, NeuralNetwork

# All buffers are in use by the end of the second epoch.
_EPOCHS = 2


class Enough(Exception):  # noqa: N818 - it ends a training that has gone on for long enough
    """The training has shown what it needs."""


def peak() -> int:
    """Return the highest memory of this process and its children so far, summed, in bytes."""
    total = 0
    for file in Path("/proc").glob("[0-9]*/status"):
        try:
            fields = dict(line.split(":", 1) for line in file.read_text().splitlines())
        except (FileNotFoundError, ProcessLookupError):
            continue
        if str(os.getpid()) in {fields["Pid"].strip(), fields["PPid"].strip()}:
            total += int(fields["VmHWM"].split()[0]) * 1024
    return total


def main(params: dict[str, Any], directory: Path) -> None:
    """Train for as long as it takes, and print the peak."""
    found = []

    def on_epoch(epoch: Epoch) -> None:
        found.append(peak())
        if epoch.number == _EPOCHS:
            raise Enough

    try:
        NeuralNetwork.from_params(params).fit(
            *array_files.load(directory, "train"),
            array_files.load(directory, "test"),
            on_epoch=on_epoch,
        )
    except Enough:
        print(max(found))


if __name__ == "__main__":
    if sys.argv[1:]:
        main(json.loads(sys.argv[1]), Path(sys.argv[2]))
    else:
        print(peak())
