"""Scoring shards in the threads of one process."""

import threading
from concurrent.futures import ThreadPoolExecutor

import mnist_sample
import numpy as np
import pytest
from mnist_sample import SAMPLE
from stage_runners import around
from threadpoolctl import threadpool_info, threadpool_limits

from nn import NeuralNetwork
from pipeline import open_registry, score
from pipeline.images.encoding import png
from pipeline.inputs import shards
from registry import Check, RunRecord

IMAGES, _ = mnist_sample.arrays(SAMPLE.train)


@pytest.fixture
def champion(home):
    """A network whose layers are wide enough for BLAS to use several threads."""
    network = NeuralNetwork((784, 512, 256, 10), epochs=1, seed=1)
    network.fit(IMAGES[:100], np.arange(100) % 10)
    passed = (Check("validation_accuracy", 0.98, 0.97, passed=True),)
    with open_registry() as registry:
        registry.register("mnist", network.to_bytes(), RunRecord(gate=passed))
        return registry.set_alias("mnist", "champion", 1)


@pytest.fixture
def directory(tmp_path, monkeypatch):
    """Images in two shards."""
    monkeypatch.setattr("pipeline.scoring.listing._SHARD_SIZE", 220)
    (tmp_path / "in").mkdir()
    for number, image in enumerate(IMAGES[:440]):
        (tmp_path / "in" / f"{number:03}.png").write_bytes(png(image))
    return tmp_path / "in"


def _blas_threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


@pytest.fixture
def two_blas_threads():
    """Let BLAS use two threads, whatever the machine.

    The limit is set in a thread that ends: as long as it lives, no other thread may set a limit.
    """
    with ThreadPoolExecutor(1) as pool:
        limits = pool.submit(threadpool_limits, 2, user_api="blas").result()
    yield
    with ThreadPoolExecutor(1) as pool:
        pool.submit(limits.restore_original_limits).result()


def _threads(stage, calls):
    with ThreadPoolExecutor(2) as pool:
        yield from pool.map(lambda call: stage(*call), calls)


def test_overlapping_shards_leave_the_threads_of_blas_as_they_were(
    champion, directory, two_blas_threads, tmp_path, monkeypatch
):
    """The first begins, the second begins, the first ends, the second ends."""
    begun, first_ended = [threading.Event(), threading.Event()], threading.Event()
    inside = []
    read = shards.read

    def read_after_the_other(target, shard):
        # `score_shard` reads its shard after it has limited BLAS.
        begun[shard].set()
        assert (begun[1] if shard == 0 else first_ended).wait(60)
        inside.append(_blas_threads())
        return read(target, shard)

    def in_order(stage, calls):
        def make(shard):
            if shard == 1:
                assert begun[0].wait(60)
            count = stage(*calls[shard])
            if shard == 0:
                first_ended.set()
            return count

        with ThreadPoolExecutor(2) as pool:
            yield from pool.map(make, range(2))

    monkeypatch.setattr(shards, "read", read_after_the_other)
    before = _blas_threads()
    assert before == {2}
    with around(map_calls=in_order):
        assert score(directory, tmp_path / "out").counts.files == 440
    assert _blas_threads() == before
    assert inside == [{1}, {1}]


def test_rows_scored_by_threads_equal_those_of_one_after_another_to_the_byte(
    champion, directory, tmp_path
):
    score(directory, tmp_path / "alone", probabilities=True)
    with around(map_calls=_threads):
        score(directory, tmp_path / "together", probabilities=True)
    parts = sorted(path.name for path in (tmp_path / "alone" / "predictions").iterdir())
    assert len(parts) == 2
    for part in parts:
        alone, together = (
            (tmp_path / output / "predictions" / part).read_bytes()
            for output in ("alone", "together")
        )
        assert alone == together
