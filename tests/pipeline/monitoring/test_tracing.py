"""Spans of jobs and stages, as a real SDK of OpenTelemetry records and sends them."""

import os
import subprocess
import sys

import pytest

pytest.importorskip("opentelemetry.sdk", reason="the extra otel is not installed")

PROGRAM = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from pipeline.monitoring.runs import recorded
from pipeline.stages import map_stage, stage

spans = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(spans))

@stage
def one(number):
    return number + 1

@recorded("job", lambda result: ("completed", str(result)))
def job():
    return one(1), sorted(map_stage(one, [(1,), (2,)]))

assert job() == (2, [2, 3])
trace.set_tracer_provider(provider)
assert job() == (2, [2, 3])
recorded_spans = spans.get_finished_spans()
root = recorded_spans[-1].context.span_id
parents = [span.parent and span.parent.span_id for span in recorded_spans]
print([(span.name, parent == root) for span, parent in zip(recorded_spans, parents)])
"""


def test_a_job_and_its_stages_are_spans(version):
    """Once a program has set up tracing, and not before."""
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False
    )
    assert ended.stderr == ""
    assert ended.stdout.strip() == str([("one", True)] * 3 + [("job", False)])


def test_spans_are_sent_to_a_collector(version, inbox_of_messages):
    program = (
        "from pipeline.monitoring.runs import recorded\n"
        "job = recorded('my-job', lambda _: ('completed', ''))(lambda: None)\n"
        "job()"
    )
    inbox_of_messages.status = 200
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": inbox_of_messages.address},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    ((_, body),) = inbox_of_messages.requests
    assert b"my-job" in body
    assert b"digits" in body
