"""kill -9 of the whole tree of `digits serve` at random moments of looks and retrainings."""

import random
import statistics
import time
from collections import Counter

import numpy as np
import pyarrow.parquet as pq
import pytest
import requests
from prefect_api import post
from processes import LIMIT, kill_with_children, until

from pipeline import open_registry
from pipeline.flows.server import free_port
from pipeline.images.encoding import png

KILLS = 50

# Seconds. Within them a look and a retraining begin and end, after a server has started.
LONGEST = 30


class Served:
    """A `digits serve` with an inbox, and what it is asked for."""

    def __init__(self, start_digits, directory):
        self._start = start_digits
        self.inbox, self.outbox = directory / "inbox", directory / "outbox"
        self.inbox.mkdir()
        self._port = free_port()
        self.api = f"http://127.0.0.1:{self._port}/api"
        self.sent, self.asked = set(), set()

    def start(self):
        self.process = self._start(
            *("serve", "--port", self._port, "--inbox", self.inbox, "--outbox", self.outbox),
            *("--preset", "quick", "--min-accuracy", "0.3", "--every", "5"),
        )

    def kill(self):
        kill_with_children(self.process.pid)
        self.process.communicate()

    def drop(self):
        """Put an image into the inbox, and return its name."""
        name = f"{len(self.sent)}.png"
        (self.inbox / f".{name}").write_bytes(png(np.full((28, 28), 200, np.uint8)))
        (self.inbox / f".{name}").rename(self.inbox / name)
        self.sent.add(name)
        return name

    def retrain(self):
        """Ask for a retraining that no other run does."""
        deployment = requests.get(
            f"{self.api}/deployments/name/retrain/scheduled", timeout=LIMIT
        ).json()
        seed = len(self.asked) + 1
        parameters = {**deployment["parameters"], "seed": seed}
        post(
            f"{self.api}/deployments/{deployment['id']}/create_flow_run", {"parameters": parameters}
        )
        self.asked.add(seed)

    def is_up(self):
        try:
            name = f"{self.api}/deployments/name/score-inbox/scheduled"
            return requests.get(name, timeout=LIMIT).ok
        except requests.ConnectionError:
            return False

    def scored(self):
        """The names of the images of all batches that are done, with how often each was scored."""
        done = [summary.parent for summary in self.outbox.glob("2*/summary.json")]
        tables = [pq.read_table(batch / "predictions", columns=["path"]) for batch in done]
        return Counter(path for table in tables for path in table["path"].to_pylist())

    def runs(self, *types):
        """The runs in states of these types."""
        query = {"flow_runs": {"state": {"type": {"any_": list(types)}}}}
        return post(f"{self.api}/flow_runs/filter", query)


@pytest.fixture
def in_full(torture):
    if not torture:
        pytest.skip("takes long; a part of `make torture`")


@pytest.fixture
def served(in_full, start_digits, retrained, tmp_path):
    return Served(start_digits, tmp_path)


@pytest.mark.timeout(4 * 3600)
def test_everything_is_killed_at_any_moment_and_the_next_start_takes_it_up(served, measured):
    """Each image is scored once, each retraining is one version, and no slot stays taken."""
    moments = random.Random(0)
    waited, cut = [], Counter()
    served.start()
    for _ in range(KILLS):
        until(served.is_up, served.process)
        served.drop()
        served.retrain()
        time.sleep(moments.uniform(0, LONGEST))
        cut[_at_work(served)] += 1
        served.kill()
        last = served.drop()
        started = time.monotonic()
        served.start()
        until(lambda last=last: served.scored()[last], served.process)
        waited.append(time.monotonic() - started)
    until(lambda: _seeds() >= served.asked, served.process)
    until(lambda: not served.runs("RUNNING", "PENDING"), served.process)
    served.kill()

    assert served.scored() == Counter(dict.fromkeys(served.sent, 1))
    assert list(served.inbox.iterdir()) == []
    with open_registry() as registry:
        versions = registry.versions()
        assert [found for found in registry.verify() if found.subject != "database"] == []
    assert sorted(version.params["seed"] for version in versions) == [0, *sorted(served.asked)]
    measured(
        f"serve: {len(waited)} kills of the whole tree; the next look had scored "
        f"{statistics.median(waited):.1f} s (median), {max(waited):.1f} s (most) after the start: "
        + ", ".join(f"{count} in {where}" for where, count in cut.most_common())
    )


def _seeds():
    with open_registry() as registry:
        return {version.params["seed"] for version in registry.versions()}


def _at_work(served):
    """What the runs are at that have not ended."""
    flows = {flow["id"]: flow["name"] for flow in post(f"{served.api}/flows/filter", {})}
    return (
        " and ".join(
            sorted(
                f"{flows[run['flow_id']]} {run['state_name']}"
                for run in served.runs("RUNNING", "PENDING")
            )
        )
        or "nothing"
    )
