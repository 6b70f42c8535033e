"""A worker process that runs the operations of a registry and times them.

A command is one line of JSON: an operation, its arguments, and the number of repetitions. The
answer is one line too: the seconds of each repetition, the errors by type, and the last result. In
this way two registries that need different releases of a library are measured alternately.
"""

import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from types import TracebackType
from typing import Any, Self


@dataclass(frozen=True)
class Answer:
    """The result of a command."""

    seconds: list[float]
    """Wall-clock time of each repetition that succeeded."""
    cpu_seconds: list[float]
    """CPU time of the same repetitions."""
    errors: dict[str, int]
    value: Any


class Worker:
    """A worker process, seen from the benchmark."""

    def __init__(self, python: str, module: str) -> None:
        self._process = subprocess.Popen(
            [python, "-m", module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"},
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def start(self, operation: str, *arguments: Any, times: int = 1, seconds: float = 1e9) -> None:
        """Start an operation, repeated up to `times` times or until `seconds` have passed."""
        assert self._process.stdin is not None
        command = {
            "operation": operation,
            "arguments": arguments,
            "times": times,
            "seconds": seconds,
        }
        print(json.dumps(command), file=self._process.stdin, flush=True)

    def answer(self) -> Answer:
        """Wait for the result of the operation that was started."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a worker stopped: {self._process.args}")
        return Answer(**json.loads(line))

    def run(self, operation: str, *arguments: Any, times: int = 1, seconds: float = 1e9) -> Answer:
        """Run an operation that must not fail, and wait for its result."""
        self.start(operation, *arguments, times=times, seconds=seconds)
        answer = self.answer()
        if answer.errors:
            raise RuntimeError(f"{operation}: {answer.errors}")
        return answer


def serve(operations: Mapping[str, Callable[..., Any]]) -> None:
    """Run the commands on standard input."""
    for line in sys.stdin:
        command = json.loads(line)
        operation = partial(operations[command["operation"]], *command["arguments"])
        answer = timed(operation, command["times"], command["seconds"])
        print(json.dumps(asdict(answer)), flush=True)


def timed(operation: Callable[[], Any], times: int, seconds: float) -> Answer:
    """Time an operation, repeated up to `times` times or until `seconds` have passed."""
    wall: list[float] = []
    cpu: list[float] = []
    errors: Counter[str] = Counter()
    value = None
    until = time.perf_counter() + seconds
    for _ in range(times):
        started, cpu_started = time.perf_counter(), time.thread_time()
        try:
            value = operation()
        except Exception as error:
            errors[type(error).__name__] += 1
        else:
            cpu.append(time.thread_time() - cpu_started)
            wall.append(time.perf_counter() - started)
        if time.perf_counter() > until:
            break
    return Answer(wall, cpu, dict(errors), value)
