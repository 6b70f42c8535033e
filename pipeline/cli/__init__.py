"""The command line. Each module defines some of the commands; `pipeline.cli.app` joins them.

A command imports what it needs when it runs, so that the command line starts quickly.
"""

import sys

__all__ = ["main"]

# As a shell reports a command that Ctrl-C stopped.
_STOPPED = 130


def main() -> None:
    """Run the command line; Ctrl-C ends it without a traceback, even while it is imported."""
    try:
        from pipeline.cli.app import main as run

        run()
    except KeyboardInterrupt:
        sys.exit(_STOPPED)
