"""``python -m pipeline``: the same as ``digits``."""

from pipeline.cli import main

main()
