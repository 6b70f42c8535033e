"""Status as metrics of Prometheus."""

from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from pipeline.monitoring.status import Status


def metrics_text(status: Status) -> bytes:
    """Return the metrics of a status in Prometheus's text format."""
    return generate_latest(metrics_registry(lambda: status))


def metrics_registry(status: Callable[[], Status]) -> CollectorRegistry:
    """Return a registry of Prometheus that asks for the status whenever it is read."""
    registry = CollectorRegistry()
    registry.register(_StatusCollector(status))
    return registry


class _StatusCollector(Collector):
    def __init__(self, status: Callable[[], Status]) -> None:
        self._status = status

    def describe(self) -> Iterator[Metric]:
        """Return nothing: the registry would take a status to learn the names."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        status = self._status()
        yield _gauge("digits_problems", "What needs a person.", len(status.problems))
        yield from _jobs(status)
        yield from _champion(status)
        yield from _batches(status)
        waiting = len(status.waiting)
        yield _gauge("digits_messages_waiting", "Messages that are not delivered.", waiting)


def _jobs(status: Status) -> Iterator[Metric]:
    names = {
        "last_success": "The end of the last run that succeeded.",
        "last_failure": "The end of the last run that failed or crashed.",
        "next_run": "The next run that `digits serve` will start.",
    }
    times = {
        name: GaugeMetricFamily(
            f"digits_job_{name}_timestamp_seconds", documentation, labels=["job"]
        )
        for name, documentation in names.items()
    }
    running = GaugeMetricFamily("digits_job_running", "Runs that have not ended.", labels=["job"])
    for job in status.jobs:
        for name, run in (("last_success", job.last_success), ("last_failure", job.last_failure)):
            if run is not None and run.ended_at is not None:
                times[name].add_metric([job.job], run.ended_at.timestamp())
        if job.next_run is not None:
            times["next_run"].add_metric([job.job], job.next_run.timestamp())
        running.add_metric([job.job], len(job.running))
    yield from times.values()
    yield running


def _champion(status: Status) -> Iterator[Metric]:
    if status.champion is None or status.champion_since is None:
        return
    info = GaugeMetricFamily("digits_champion_info", "The champion.", labels=["version", "sha256"])
    info.add_metric([status.champion.reference, status.champion.sha256], 1)
    yield info
    yield _gauge(
        "digits_champion_since_timestamp_seconds",
        "When it became the champion.",
        status.champion_since.timestamp(),
    )
    accuracy = status.champion.metrics.get("validation_accuracy")
    if accuracy is not None:
        yield _gauge("digits_champion_validation_accuracy", "A fraction in [0, 1].", accuracy)


def _batches(status: Status) -> Iterator[Metric]:
    yield _gauge(
        "digits_batches_drifted", "Batches of the last day that drifted.", len(status.drifted)
    )
    batch = status.last_batch
    if batch is None:
        return
    yield _gauge("digits_batches", "Batches that were ever scored.", batch.id)
    yield _gauge(
        "digits_last_batch_timestamp_seconds", "When its scoring ended.", batch.at.timestamp()
    )
    yield _gauge("digits_last_batch_images", "Its images.", batch.files)
    if batch.estimate is not None:
        yield _gauge(
            "digits_last_batch_estimated_accuracy",
            "The accuracy that its confidence promises, a fraction in [0, 1].",
            batch.estimate.accuracy,
        )


def _gauge(name: str, documentation: str, value: float) -> Metric:
    return GaugeMetricFamily(name, documentation, value=value)
