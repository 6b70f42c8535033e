"""How much memory a training on all of MNIST takes, for each preset.

It is the peak of the process and its workers, each counting what they share, above that of one
interpreter that has imported `nn`. Linux only.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import table
from benchmarks.mnist_data import mnist
from benchmarks.network import array_files
from nn import NeuralNetwork
from pipeline.training.presets import PRESETS

_ROOT = Path(__file__).parents[2]


def peak(*arguments: str) -> float:
    """Return the peak of a process, in MB."""
    command = [sys.executable, "-m", "benchmarks.network.training_memory", *arguments]
    done = subprocess.run(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return int(done.stdout) / 1e6


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("presets", nargs="*", default=[*PRESETS])
    chosen = parser.parse_args()
    table.heading("peak memory while training on MNIST, above the interpreter's: MB")
    if not Path("/proc/self/status").exists():
        table.missing("", "not measured: this is not Linux")
        return
    with tempfile.TemporaryDirectory() as name:
        for split, examples in zip(("train", "test"), mnist(), strict=True):
            array_files.save(Path(name), split, examples.images, examples.labels)
        bare = peak()
        for preset in chosen.presets:
            params = NeuralNetwork(**PRESETS[preset], seed=0).get_params()
            table.row(preset, [peak(json.dumps(params), name) - bare], "≤ 350", digits=0)
    table.row("the interpreter alone", [bare], digits=0)


if __name__ == "__main__":
    main()
