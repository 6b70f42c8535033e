"""The main function of a worker process."""

import json
import pkgutil
import signal
import sys

from nn.parallel.barrier import Barrier, Inboxes
from nn.parallel.workers import Workers


def main() -> None:
    """Read an order from standard input and carry it out; `Workers.start` sends it."""
    # An interrupt is for the leader, which ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    order = json.loads(sys.stdin.readline())
    barrier = Barrier(Inboxes(order["reading"], order["writing"]))
    # The other end of standard input is the leader's.
    barrier.watch(sys.stdin.fileno())
    workers = Workers(order["size"], order["rank"], order["memory"], barrier)
    target = pkgutil.resolve_name(order["target"])
    target(workers, order["task"], sys.stdin)
