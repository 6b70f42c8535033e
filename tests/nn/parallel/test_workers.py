"""Several processes that train one network."""

import gc
import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import small_training
from small_training import RANDOM, examples, network, without_seconds

from nn import DivergedError, WorkerError
from nn.optimizers import OPTIMIZERS
from nn.parallel.workers import Workers
from nn.session import training_session, useful_workers


def _vector(fitted):
    return np.concatenate([values.ravel() for values in fitted.weights + fitted.biases])


@pytest.mark.parametrize(
    ("optimizer", "rate"),
    [("sgd", 0.3), ("momentum", 0.03), ("nesterov", 0.03), ("adam", 0.01)],
)
def test_two_processes_compute_what_one_computes(optimizer, rate, worker_processes):
    """Up to the rounding of float32, since they add in a different order."""
    params = {"optimizer": optimizer, "learning_rate": rate, "l2": 0.5, "label_smoothing": 0.1}
    data = examples()
    alone = network(**params, threads=1).fit(*data, data)
    assert not worker_processes
    together = network(**params, threads=2).fit(*data, data)
    assert len(worker_processes) == 1
    np.testing.assert_allclose(_vector(together), _vector(alone), rtol=1e-4, atol=1e-5)
    for one, other in zip(alone.history, together.history, strict=True):
        assert other.loss == pytest.approx(one.loss, rel=1e-5)
        assert other.validation_loss == pytest.approx(one.validation_loss, rel=1e-5)
        assert other.accuracy == one.accuracy
        assert other.learning_rate == one.learning_rate


def test_every_optimizer_is_compared():
    marks = test_two_processes_compute_what_one_computes.pytestmark
    assert {optimizer for optimizer, _ in marks[0].args[1]} == set(OPTIMIZERS)


@pytest.mark.parametrize("dtype", ["uint8", ">f4", "float64"])
def test_a_batch_may_have_fewer_examples_than_processes(dtype):
    """The last batch has one example for three processes; images may have any type."""
    images, labels = examples(129)
    x = (images.reshape(129, -1) / (1 if dtype == "uint8" else 255)).astype(dtype)
    results = []
    for size in (1, 3):
        with training_session(network(), x, labels, (6, 6), 1, size) as training:
            losses = [training.run_epoch() for _ in range(2)]
            results.append((training.result()[0].vector, losses))
    (alone, one), (together, three) = results
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(three, one, rtol=1e-5)


def test_two_processes_give_the_same_bytes_again(worker_processes):
    """With everything random, and in whatever order they do their work."""
    data = examples()
    first, again = (network(**RANDOM, threads=2).fit(*data, data) for _ in range(2))
    assert len(worker_processes) == 2
    assert first.to_bytes() == again.to_bytes()
    assert without_seconds(first.history) == without_seconds(again.history)


def test_a_killed_worker_is_an_error_with_its_status(worker_processes):
    def kill(epoch):
        worker_processes[0].kill()
        worker_processes[0].wait()

    with pytest.raises(WorkerError, match=r"status -9\b.*threads=1") as raised:
        network(threads=2).fit(*examples(), on_epoch=kill)
    assert raised.value.status == -signal.SIGKILL


def test_a_worker_killed_while_the_leader_waits_is_the_same_error(worker_processes):
    """It is stopped first, so that no epoch can end before it is killed."""

    def stop_and_kill_later(epoch):
        worker_processes[0].send_signal(signal.SIGSTOP)
        threading.Timer(0.2, worker_processes[0].kill).start()

    with pytest.raises(WorkerError) as raised:
        network(threads=2).fit(*examples(), on_epoch=stop_and_kill_later)
    assert raised.value.status == -signal.SIGKILL


def test_when_one_worker_is_killed_the_others_end_too(worker_processes):
    def kill(epoch):
        worker_processes[1].kill()
        worker_processes[1].wait()

    with pytest.raises(WorkerError):
        network(threads=3).fit(*examples(), on_epoch=kill)
    assert [process.returncode for process in worker_processes] == [-signal.SIGKILL] * 2


class RefusalError(Exception):
    """An error that a caller's function raises."""


@pytest.mark.parametrize("kind", [None, KeyboardInterrupt, RefusalError])
def test_no_worker_outlives_its_training(kind, worker_processes):
    """However the training ends; no file descriptor stays open."""
    # The descriptors of earlier trainings would be closed in between.
    gc.collect()
    before = len(os.listdir("/dev/fd"))  # noqa: PTH208 - the directory lists itself

    def end(epoch):
        if kind is not None:
            raise kind

    if kind is None:
        network(threads=2).fit(*examples(), on_epoch=end)
    else:
        with pytest.raises(kind):
            network(threads=2).fit(*examples(), on_epoch=end)
    assert len(worker_processes) == 1
    assert worker_processes[0].returncode is not None
    assert len(os.listdir("/dev/fd")) == before  # noqa: PTH208


def test_divergence_is_reported_once(worker_processes, capfd):
    with pytest.raises(DivergedError):
        network(threads=2, activation="relu", learning_rate=1e30).fit(*examples())
    assert worker_processes[0].returncode is not None
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("point", ["work", "epoch 1"])
def test_workers_end_when_the_leader_is_killed(point, start_training):
    """Before they start to work, and between two epochs."""
    leader = start_training(point, threads=2)
    leader.wait_for(point)
    leader.kill()
    leader.wait()


def test_workers_end_when_the_leader_is_killed_in_an_epoch(start_training):
    leader = start_training(None, threads=2, epochs=1_000_000)
    leader.wait_for("epoch 2")
    leader.kill()
    leader.wait()


def test_an_interrupt_ends_no_worker(worker_processes):
    """Only the leader reacts to it; here it gets none, and the training continues."""
    fitted = network(threads=2)
    fitted.fit(*examples(), on_epoch=lambda epoch: worker_processes[0].send_signal(signal.SIGINT))
    assert len(fitted.history) == 3


def test_an_interrupt_is_for_the_leader_alone(start_training):
    """Ctrl-C reaches the workers too, but only the leader reports it."""
    leader = start_training("epoch 1", threads=2)
    leader.wait_for("epoch 1")
    leader.interrupt()
    errors = leader.wait()
    assert errors.count("Traceback") == 1
    assert errors.rstrip().endswith("KeyboardInterrupt")


def test_a_small_network_is_trained_by_one_process():
    assert useful_workers(network(), 60_000, 8) == 1


def test_a_large_network_uses_as_many_processes_as_allowed():
    large = network(sizes=(784, 2500, 2000, 10), batch_size=128, epochs=30)
    assert [useful_workers(large, 50_000, most) for most in (1, 2, 4)] == [1, 2, 4]


def test_a_short_training_does_not_start_workers():
    large = network(sizes=(784, 2500, 2000, 10), batch_size=128, epochs=1)
    assert useful_workers(large, 500, 8) == 1


def test_small_batches_are_not_divided():
    large = network(sizes=(784, 2500, 2000, 10), batch_size=10, epochs=30)
    assert useful_workers(large, 50_000, 8) == 1


@pytest.mark.parametrize("threads", [None, 2])
def test_the_number_of_threads_used_is_stored_with_the_weights(threads, monkeypatch):
    """So a network with these parameters is trained in the same way elsewhere."""
    monkeypatch.setattr("nn.fitting.available_cores", lambda: 2)
    small = network(threads=threads, epochs=1).fit(*examples())
    assert type(small).from_bytes(small.to_bytes()).threads == 1
    for name in small_training.THRESHOLDS:
        monkeypatch.setattr(f"nn.session.{name}", 1)
    shared = network(threads=threads, epochs=1).fit(*examples())
    assert type(shared).from_bytes(shared.to_bytes()).threads == 2


def test_one_process_works_on_every_piece():
    done = []
    with Workers(1) as workers:
        workers.run(done.append, 5)
    assert done == [0, 1, 2, 3, 4]


def test_trainings_in_several_threads_do_not_disturb_each_other(small_trainings_share):
    data = examples()
    alone = [network(seed=seed, threads=2).fit(*data).to_bytes() for seed in (1, 2)]
    with ThreadPoolExecutor(2) as pool:
        fits = [pool.submit(network(seed=seed, threads=2).fit, *data) for seed in (1, 2)]
    assert [fit.result().to_bytes() for fit in fits] == alone
