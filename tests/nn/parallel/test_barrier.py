"""The barrier at which processes wait for each other; here threads stand for them."""

import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from nn.parallel.barrier import Barrier, EndedError, Inboxes


@pytest.fixture
def open_inboxes():
    """Open the inboxes of some processes; they are closed at the end of the test."""
    opened = set()

    def start(size):
        inboxes = Inboxes.for_processes(size)
        opened.update(*(each.descriptors for each in inboxes))
        return inboxes

    yield start
    for descriptor in opened:
        os.close(descriptor)


@pytest.mark.parametrize("size", [2, 3, 5])
def test_nobody_leaves_a_round_before_all_have_arrived(size, open_inboxes):
    """In many rounds, of which the fast ones may start the next."""
    arrived = [0] * size

    def take_part(rank, inboxes):
        barrier = Barrier(inboxes)
        for number in range(1, 201):
            arrived[rank] = number
            barrier.wait()
            assert min(arrived) >= number
            assert max(arrived) <= number + 1

    with ThreadPoolExecutor(size) as pool:
        rounds = [pool.submit(take_part, *each) for each in enumerate(open_inboxes(size))]
    assert [each.result() for each in rounds] == [None] * size
    assert arrived == [200] * size


@pytest.mark.parametrize("end", [0, 1])
def test_the_end_of_a_watched_process_ends_the_wait(end, open_inboxes):
    """Whichever end of the pipe is watched: the leader writes to a worker, which reads."""
    inboxes, _ = open_inboxes(2)
    pipe = os.pipe()
    barrier = Barrier(inboxes)
    barrier.watch(pipe[end])
    os.close(pipe[1 - end])
    with pytest.raises(EndedError) as raised:
        barrier.wait()
    assert raised.value.descriptor == pipe[end]
    os.close(pipe[end])


def test_data_in_a_watched_pipe_does_not_end_the_wait(open_inboxes):
    """A worker may have been sent a message that it has not read yet."""
    mine, other = open_inboxes(2)
    reading, writing = os.pipe()
    os.write(writing, b"message\n")
    barrier, others = Barrier(mine), Barrier(other)
    barrier.watch(reading)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(others.wait)
        barrier.wait()
    os.close(reading)
    os.close(writing)
