"""A build step of prefect.yaml, which `prefect deploy` runs."""

import os
import sys


def require_boxes() -> dict[str, str]:
    """Return the inbox and the outbox of the environment; end `prefect deploy` without them.

    Prefect by itself would warn, and deploy a flow whose runs all fail.
    """
    boxes = {name: os.environ.get(f"DIGITS_{name.upper()}", "") for name in ("inbox", "outbox")}
    if not all(boxes.values()):
        # A step runs in a thread, in which the message of an exit is lost.
        sys.stderr.write(
            "Error: DIGITS_INBOX and DIGITS_OUTBOX must name directories that all workers share. "
            "To deploy without an inbox: "
            "prefect deploy --name retrain/scheduled --name ingest/scheduled\n"
        )
        sys.exit(1)
    return boxes
