"""The limit on the threads of BLAS."""

from concurrent.futures import ThreadPoolExecutor

from threadpoolctl import threadpool_info

from nn import single_threaded_blas


def _blas_threads():
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_blas_is_held_to_one_thread_until_the_last_training_ends():
    """Trainings in one process may overlap and end in any order."""
    usual = _blas_threads()
    first, second = single_threaded_blas(), single_threaded_blas()
    first.__enter__()
    second.__enter__()
    assert _blas_threads() == {1}
    first.__exit__(None, None, None)
    assert _blas_threads() == {1}
    second.__exit__(None, None, None)
    assert _blas_threads() == usual


def test_users_may_be_threads_that_live_on():
    """As those of a pool do: the first one leaves before the second."""
    usual = _blas_threads()
    first, second = single_threaded_blas(), single_threaded_blas()
    with ThreadPoolExecutor(1) as one, ThreadPoolExecutor(1) as other:
        one.submit(first.__enter__).result()
        other.submit(second.__enter__).result()
        assert _blas_threads() == {1}
        one.submit(first.__exit__, None, None, None).result()
        assert other.submit(_blas_threads).result() == {1}
        other.submit(second.__exit__, None, None, None).result()
        assert _blas_threads() == usual
        with single_threaded_blas():
            assert one.submit(_blas_threads).result() == {1}
    assert _blas_threads() == usual
