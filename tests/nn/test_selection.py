import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nn.selection import Selection

COUNT = 1000


def selection(losses, **params):
    chosen = Selection(len(losses), **{"epochs": 16, "batch_size": 10, "skipping": 0.5, **params})
    chosen.losses[:] = losses
    return chosen


def examples(chosen, epoch, seed=0):
    chosen.choose(epoch, np.random.default_rng(seed))
    return chosen.examples


@pytest.mark.parametrize("epoch", [1, 15, 16])
def test_the_first_and_the_last_epochs_have_every_example(epoch):
    chosen = examples(selection(np.arange(COUNT)), epoch)
    assert (np.sort(chosen) == np.arange(COUNT)).all()


def test_only_examples_with_less_than_the_mean_loss_are_left_out():
    losses = np.repeat([0.1, 3.0], [900, 100])
    chosen = examples(selection(losses), 2)
    assert set(range(900, 1000)) <= set(chosen.tolist())
    assert 400 < np.count_nonzero(chosen < 900) < 500


def test_others_are_left_out_in_each_epoch():
    learnt = selection(np.repeat([0.1, 3.0], [900, 100]))
    first, second = (set(examples(learnt, 2, seed).tolist()) for seed in (1, 2))
    assert first - second
    assert second - first


def test_without_skipping_every_epoch_has_every_example():
    for epoch in range(1, 17):
        chosen = examples(selection(np.arange(COUNT), skipping=0.0), epoch)
        assert (np.sort(chosen) == np.arange(COUNT)).all()


@given(
    st.integers(1, 300),
    st.integers(1, 64),
    st.floats(0, 1, exclude_max=True),
    st.integers(1, 16),
    st.integers(0, 99),
)
def test_no_example_is_taken_twice_and_batches_are_full(count, batch_size, skipping, epoch, seed):
    losses = np.random.default_rng(seed).exponential(size=count)
    chosen = examples(selection(losses, batch_size=batch_size, skipping=skipping), epoch, seed)
    assert len(np.unique(chosen)) == len(chosen) > 0
    assert len(chosen) == count or len(chosen) % batch_size == 0
    hard = np.flatnonzero(losses.astype(np.float32) >= losses.astype(np.float32).mean(dtype=float))
    assert set(hard.tolist()) <= set(chosen.tolist())
