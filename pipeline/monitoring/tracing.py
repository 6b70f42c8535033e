"""Traces of OpenTelemetry: a span for each job, and one for each of its stages.

The extra ``otel`` installs what is needed. Spans are sent if ``OTEL_EXPORTER_OTLP_ENDPOINT`` names
a collector, or to whatever the program that calls a job has set up.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from pipeline.stages import StageRunner, current_runner, run_stages_with, serial_map

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

_P = ParamSpec("_P")
_T = TypeVar("_T")

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


@contextlib.contextmanager
def traced(job: str) -> Iterator[None]:
    """Record a span for the job that runs in this block, and one for each stage that it calls."""
    tracer = _tracer()
    if tracer is None:
        yield
        return
    with tracer.start_as_current_span(job), run_stages_with(_Traced(tracer, current_runner())):
        yield


class _Traced:
    """A stage runner that records a span for each call, and leaves the call to another runner."""

    def __init__(self, tracer: "Tracer", runner: StageRunner | None) -> None:
        self._tracer = tracer
        self._runner = runner

    def call(self, stage: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> _T:
        with self._tracer.start_as_current_span(stage.__name__):
            if self._runner is None:
                return stage(*args, **kwargs)
            return self._runner.call(stage, *args, **kwargs)

    def map(self, stage: Callable[..., _T], calls: Iterable[tuple[Any, ...]], /) -> Iterator[_T]:
        if self._runner is None:
            # Each call comes back to this runner.
            yield from serial_map(stage, calls)
            return
        # One span for all calls, which are made elsewhere. It is not the current one: between two
        # results, the job is in no stage.
        span = self._tracer.start_span(stage.__name__)
        try:
            yield from self._runner.map(stage, calls)
        finally:
            span.end()


def _tracer() -> "Tracer | None":
    """Return the tracer; None if nobody would get its spans."""
    if find_spec("opentelemetry.sdk") is None:
        return None
    from opentelemetry import trace

    if any(os.environ.get(name) for name in _ENDPOINTS):
        _send_to_collector()
    # Before a program has set one up, the provider records nothing.
    provider = trace.get_tracer_provider()
    is_set_up = not isinstance(provider, trace.ProxyTracerProvider)
    return trace.get_tracer("digits") if is_set_up else None


@cache
def _send_to_collector() -> None:
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    if not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider):
        return
    provider = TracerProvider(resource=Resource.create({"service.name": "digits"}))
    # Each span is sent at its end, by no thread: jobs fork worker processes.
    provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(timeout=2)))
    trace.set_tracer_provider(provider)
