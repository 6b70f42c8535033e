"""A registry in a process of its own, which does as it is told over a pipe.

A command is a line of JSON: what to do, with what, and how many times. The answer is one too:
the seconds of each time, the errors by type, and what the last time returned. So two registries
that need different releases of the same library are measured in turn.
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
    """What came of a command."""

    seconds: list[float]
    """Of the times that succeeded."""
    processor: list[float]
    """Seconds of the processor's time, of the same."""
    errors: dict[str, int]
    value: Any


class Worker:
    """The process, seen from the benchmark."""

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

    def start(self, what: str, *arguments: Any, times: int = 1, seconds: float = 1e9) -> None:
        """Have something done, at most so many times, or until so many seconds are over."""
        assert self._process.stdin is not None
        command = {"what": what, "arguments": arguments, "times": times, "seconds": seconds}
        print(json.dumps(command), file=self._process.stdin, flush=True)

    def answer(self) -> Answer:
        """Wait for what came of it."""
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a worker stopped: {self._process.args}")
        return Answer(**json.loads(line))

    def do(self, what: str, *arguments: Any, times: int = 1, seconds: float = 1e9) -> Answer:
        """Have something done that must not fail, and wait for what came of it."""
        self.start(what, *arguments, times=times, seconds=seconds)
        answer = self.answer()
        if answer.errors:
            raise RuntimeError(f"{what}: {answer.errors}")
        return answer


def work(operations: Mapping[str, Callable[..., Any]]) -> None:
    """Do what the lines of standard input say."""
    for line in sys.stdin:
        command = json.loads(line)
        operation = partial(operations[command["what"]], *command["arguments"])
        answer = timed(operation, command["times"], command["seconds"])
        print(json.dumps(asdict(answer)), flush=True)


def timed(operation: Callable[[], Any], times: int, seconds: float) -> Answer:
    """Do something, at most so many times, or until so many seconds are over."""
    found: list[float] = []
    processor: list[float] = []
    errors: Counter[str] = Counter()
    value = None
    until = time.perf_counter() + seconds
    for _ in range(times):
        started, at_work = time.perf_counter(), time.thread_time()
        try:
            value = operation()
        except Exception as error:
            errors[type(error).__name__] += 1
        else:
            processor.append(time.thread_time() - at_work)
            found.append(time.perf_counter() - started)
        if time.perf_counter() > until:
            break
    return Answer(found, processor, dict(errors), value)
