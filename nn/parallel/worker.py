"""The main function of a worker process."""

import json
import pkgutil
import signal
import sys

from nn.parallel.channels import Channel
from nn.parallel.workers import Workers


def main() -> None:
    """Read an order from standard input and carry it out; `Workers.start` sends it."""
    # An interrupt is for the leader, which ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    order = json.loads(sys.stdin.readline())
    workers = Workers(order["size"], order["rank"], order["memory"], Channel(*order["channel"]))
    target = pkgutil.resolve_name(order["target"])
    target(workers, order["task"], sys.stdin)
