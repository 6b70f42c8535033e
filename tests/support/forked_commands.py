"""Commands and programs in processes of their own that have imported everything beforehand.

Importing Prefect and the pipeline takes longer than most commands.
"""

import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import brief_retrainings
from forkserver import CONTEXT
from processes import LIMIT, Ended, kill_with_children


def digits(arguments: list[str], environment: Mapping[str, str]) -> Ended:
    """Run the command line to its end, without Prefect's heartbeat."""
    return _run(_digits, arguments, environment)


def python(program: str, environment: Mapping[str, str], limit: float = LIMIT) -> Ended:
    """Run a program in Python to its end, which comes within so many seconds."""
    return _run(_python, program, environment, limit)


def prefect(arguments: list[str], environment: Mapping[str, str]) -> Ended:
    """Run Prefect's command line to its end, in the checkout."""
    return _run(_prefect, arguments, environment)


def _run(
    work: Callable[..., None],
    given: object,
    environment: Mapping[str, str],
    limit: float = LIMIT,
) -> Ended:
    with tempfile.TemporaryDirectory() as directory:
        out, err = (Path(directory, name) for name in ("out", "err"))
        process = CONTEXT.Process(target=_enter, args=(work, given, dict(environment), out, err))
        process.start()
        try:
            process.join(limit)
            assert process.exitcode is not None, f"It did not end: {given}"
        finally:
            if process.exitcode is None:
                kill_with_children(process.pid)
                process.join()
        return Ended(process.exitcode, out.read_text(), err.read_text())


def _enter(
    work: Callable[..., None], given: object, environment: dict[str, str], out: Path, err: Path
) -> None:
    os.environ.clear()
    os.environ.update(environment)
    for path, descriptor in ((out, 1), (err, 2)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT), descriptor)

    from mnist_sample import SAMPLE

    from pipeline.data import mnist

    mnist.MNIST = SAMPLE
    work(given)


def _digits(arguments: list[str]) -> None:
    brief_retrainings.apply_variable()
    from pipeline.cli.app import main
    from pipeline.flows import environment

    set_defaults = environment.set_defaults

    def set_imported_defaults(*args: object, **kwargs: object) -> None:
        set_defaults(*args, **kwargs)
        _read_prefect_settings()
        _stop_heartbeat()

    environment.set_defaults = set_imported_defaults
    sys.argv = ["digits", *arguments]
    main()


def _python(program: str) -> None:
    _read_prefect_settings()
    exec(program, {})


def _prefect(arguments: list[str]) -> None:
    _read_prefect_settings()
    from prefect.cli import app

    # prefect.yaml is there.
    os.chdir(Path(__file__).parents[2])
    sys.argv = ["prefect", "--no-prompt", *arguments]
    app()


def _read_prefect_settings() -> None:
    """Do what Prefect does when it is imported, which was before the environment was this one."""
    from prefect.context import refresh_global_settings_context
    from prefect.logging.configuration import setup_logging

    refresh_global_settings_context()
    setup_logging()


def _stop_heartbeat() -> None:
    """Spare each run the second that the end of its heartbeat takes; no variable can."""
    import prefect.context
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY

    now = prefect.context.get_settings_context()
    settings = now.settings.copy_with_update({PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None})
    prefect.context.GLOBAL_SETTINGS_CONTEXT = now.model_copy(update={"settings": settings})
