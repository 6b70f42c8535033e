"""Every method of a registry, once on each kind of database, with the same results.

The other tests of PostgreSQL that repeat those of SQLite take long; `make test-long` runs them.
"""

from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

from empty_registries import create_empty_on_postgresql
from registry_contents import DRIFTED_BATCH, FAILED, PASSED, errors

from registry import AgreedLabels, Registry, RunRecord
from registry.job_runs import JobRuns
from registry.messages import Messages

# Not about what is in the registry.
_LEFT_OUT = {"backup", "close", "id"}


class _Recorder:
    """Passes calls on, and notes their names."""

    def __init__(self, wrapped):
        self._wrapped = wrapped
        self.called = set()

    def __getattr__(self, name):
        self.called.add(name)
        return getattr(self._wrapped, name)


def _methods(wrapped):
    return {name for name in vars(wrapped) if not name.startswith("_")} - _LEFT_OUT


def _live(ann, bob, other, directory):
    """Yield a result of each method, without times and without what another registry does not have.

    Parameters
    ----------
    ann : Registry
        What people did with it is looked at.
    bob : Registry
        The same registry, for somebody else.
    other : Registry
        An empty one.
    """
    record = RunRecord(
        metrics={"accuracy": 0.98, "loss": 1e-300},
        params={"sizes": [784, 10], "seed": None, "preset": "it's é"},
        tags={"team": "ocr"},
        inputs={"train": "ab" * 32},
        environment={"numpy": "2.1"},
        gate=PASSED,
        run_id="run-1",
    )
    yield ann.register("mnist", b"1", record, idempotency_key="key").number
    yield ann.register("mnist", b"1", record, idempotency_key="key").number
    yield ann.register("mnist", b"2", RunRecord(metrics={"accuracy": 0.5}, gate=PASSED)).number
    yield ann.register("mnist", b"3", RunRecord(gate=FAILED, parent="mnist/1")).gate_passed
    yield ann.register("mnist", b"4").state
    yield ann.set_alias("mnist", "champion", 1).aliases
    yield ann.set_alias("mnist", "champion", 2, expected=ann.alias("mnist", "champion")).aliases
    yield ann.rollback("mnist").number
    yield ann.set_alias("mnist", "gone", 2).aliases
    yield ann.delete_alias("mnist", "gone")
    yield ann.alias("mnist", "champion").generation
    yield ann.protect("mnist", "champion")
    yield ann.propose("mnist/2", "champion", reason="better").reason
    yield len(ann.proposals("mnist"))
    yield bob.approve("mnist/2", "champion").approved_by
    yield ann.get("mnist@champion").number
    yield ann.unprotect("mnist", "champion")
    yield ann.archive("mnist/3").state
    yield ann.restore("mnist/3").state
    yield dict(ann.tag("mnist/1", {"a": "b"}).tags)
    yield dict(ann.untag("mnist/1", "a").tags)
    yield ann.describe("mnist/1", "The first.").description
    yield ann.describe_model("mnist", "Digits.").description
    yield ann.refuse("mnist", "cd" * 32, RunRecord(gate=FAILED)).kind
    batch = ann.record_batch(DRIFTED_BATCH, key="ef" * 32)
    yield ann.batch(batch.id) == batch
    yield len(ann.batches("mnist", drifted=True, since=datetime(2020, 1, 1, tzinfo=UTC)))
    labels = AgreedLabels((2, 8), (1, 8), (1.2, 7.9))
    yield ann.label_batch(batch.id, labels).labels == labels
    yield ann.load("mnist/1")
    yield ann.download("mnist/1", directory / "weights").sha256
    yield ann.latest("mnist").number
    yield [(value.number, value.value) for value in ann.metric_history("mnist", "accuracy")]
    yield [(model.name, model.description) for model in ann.models()]
    yield repr(ann.compare("mnist/1", "mnist/2").metrics)
    yield [v.number for v in ann.versions("mnist", where="params.preset = 'it''s é'")]
    yield [v.number for v in ann.versions(order_by="metrics.accuracy desc", after="mnist/1")]
    yield ann.versions_frame("mnist").drop_columns(["created_at"]).to_pylist()
    yield ann.export("mnist", directory / "archive")
    yield other.import_(directory / "archive").added
    yield ann.copy("mnist/1", to=other, name="copied").reference
    yield ann.delete("mnist/3", reason="wrong").versions
    yield ann.prune("mnist", keep=1, dry_run=True).versions
    yield ann.gc(grace=timedelta(0), unknown=True).blobs
    yield [(event.kind, event.actor, event.number) for event in ann.history("mnist")]
    yield errors(ann)
    yield list(map(str, ann.verify()))


def _work(runs, messages):
    """Yield a result of each method of the runs of jobs and of messages."""
    run = runs.begin("retrain", "1")
    yield [each.job for each in runs.read(running=True)]
    yield runs.end(run, "failed", "no mirror")
    runs.begin("score", "2")
    yield [each.job for each in runs.end_killed(lambda process: process != "2")]
    yield [(each.job, each.outcome) for each in runs.read()]
    written = messages.write("kind", {"a": 1}, key="key")
    yield messages.was_written("kind", "key")
    taken = messages.take("end", lease=timedelta(hours=1))
    yield sorted((message.kind, attempt) for message, attempt in taken)
    yield messages.note_failed(taken[0][0].id, "end", "refused", datetime(2020, 1, 1, tzinfo=UTC))
    yield messages.note_delivered(written.id, "end")
    yield messages.close_delivered(["end"])
    yield sorted(message.kind for message in messages.waiting())
    yield sorted(message.kind for message in messages.read())
    yield messages.remove_old(waiting=timedelta(0), done=timedelta(0))


def test_both_databases_give_the_same_results(postgresql, tmp_path):
    url = postgresql.new_schema()
    create_empty_on_postgresql(postgresql, url)
    found = []
    with ExitStack() as stack:
        for name, address in (("s", f"sqlite:///{tmp_path}/s.db"), ("p", url)):
            blobs = str(tmp_path / name)
            ann, bob = (
                stack.enter_context(Registry(address, blobs, actor=actor))
                for actor in ("ann", "bob")
            )
            other = stack.enter_context(Registry(f"sqlite:///{tmp_path}/{name}-o.db", f"{blobs}-o"))
            recorders = [_Recorder(each) for each in (ann, ann.job_runs, ann.messages)]
            results = list(_live(recorders[0], bob, other, tmp_path))
            found.append(results + list(_work(*recorders[1:])))
    assert found[0] == found[1]
    # `ann` is not who approves and imports.
    assert recorders[0].called | {"approve", "import_"} >= _methods(Registry)
    assert recorders[1].called == _methods(JobRuns)
    assert recorders[2].called == _methods(Messages)
