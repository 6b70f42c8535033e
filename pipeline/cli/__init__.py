"""The command line. Each module defines some of the commands; `pipeline.cli.app` joins them.

A command imports what it needs when it runs, so that the command line starts quickly.
"""

from pipeline.cli.app import main

__all__ = ["main"]
