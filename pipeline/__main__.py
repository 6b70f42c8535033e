"""``python -m pipeline``: the same as ``digits``."""

from pipeline.cli.app import main

main()
