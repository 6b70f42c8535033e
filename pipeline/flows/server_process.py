"""A Prefect server that ends with the process that started it: ``python -m`` this module."""

import os
import signal
import sys
import threading


def main() -> None:
    """Run ``prefect server start`` with the given options, until the parent process ends."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from prefect.cli import app

    sys.argv[:1] = ["prefect", "server", "start"]
    app()


def _end_with_parent() -> None:
    # The parent writes nothing. Its end of the pipe closes when it ends, also if it is killed.
    sys.stdin.buffer.read()
    # The server is the leader of its process group.
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    main()
