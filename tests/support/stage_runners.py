"""Stage runners that let a test act around the stages of a job."""

from pipeline.stages import run_stages_with, serial_map


class Around:
    """Runs stages in this process, through functions of the test.

    Parameters
    ----------
    call : callable, optional
        Gets a stage and its arguments, and calls it.
    map_calls : callable, optional
        Gets a stage and its calls, and yields their results.
    """

    def __init__(self, call=None, map_calls=serial_map):
        self.call = call or (lambda stage, /, *args, **kwargs: stage(*args, **kwargs))
        self.map = map_calls


def around(call=None, map_calls=serial_map):
    """Run the stages of this block through functions of the test."""
    return run_stages_with(Around(call, map_calls))
