"""Pruning: old versions go, and with them the runs and labelled images that no version needs."""

import json
import os
from datetime import timedelta
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from pipeline import open_registry
from pipeline.jobs.pruning import Artifact, prune, unneeded_artifacts
from pipeline.settings import load_settings
from registry import RunRecord


def _artifacts(settings, number, *, version=True):
    """Write a run and a set of labelled images, and register a version that has them."""
    digest = f"{number:064x}"
    run = settings.runs / f"run-{number}"
    run.mkdir(parents=True)
    (run / "report.html").write_bytes(bytes(number))
    settings.labelled.mkdir(parents=True, exist_ok=True)
    images = settings.labelled / f"{digest}.parquet"
    images.write_bytes(bytes(10 * number))
    record = settings.labelled / f"{number + 100:064x}.json"
    record.write_text(json.dumps({"reference": {"sha256": digest, "path": str(images)}}))
    for path in (run, images):
        os.utime(path, (number, number))
    if version:
        with open_registry(settings) as registry:
            details = RunRecord(run_id=run.name, inputs={"labelled": digest})
            registry.register("mnist", b"%d" % number, details)
    return run, images, record


def test_what_no_version_needs_goes_with_the_versions(home):
    settings = load_settings()
    kept = {number: _artifacts(settings, number) for number in range(1, 6)}
    refused = [_artifacts(settings, number, version=False) for number in (6, 7, 8)]
    with open_registry() as registry:
        registry.set_alias("mnist", "live", 2)
    planned = prune(2, dry_run=True)
    assert all(path.exists() for paths in (*kept.values(), *refused) for path in paths)
    assert planned.versions.versions == ("mnist/1", "mnist/3")
    # Two runs without a version stay, and the newest labelled images without one.
    gone = {*kept[1], *kept[3], *refused[0], *refused[1][1:]}
    assert set(planned.files) == gone
    sizes = {path: _size(path) for path in gone}
    assert planned.size == sum(sizes.values())
    assert prune(2) == planned
    left = {path for paths in (*kept.values(), *refused) for path in paths if path.exists()}
    assert left == {path for paths in (*kept.values(), *refused) for path in paths} - gone


def _size(path):
    files = [path] if path.is_file() else list(path.iterdir())
    return sum(file.stat().st_size for file in files)


def test_what_is_young_stays(home):
    settings = load_settings()
    for number in (1, 2, 3):
        _artifacts(settings, number)
    pruned = prune(1, older_than=timedelta(days=1))
    assert pruned.versions.versions == ()
    assert pruned.files == ()


def test_a_home_without_runs_is_pruned_as_well(home):
    with open_registry() as registry:
        for number in (1, 2):
            registry.register("mnist", b"%d" % number)
    assert prune(1).versions.versions == ("mnist/1",)


@given(
    ages=st.dictionaries(st.sampled_from("abcdefgh"), st.integers(0, 20)),
    needed=st.sets(st.sampled_from("abcdefgh")),
    keep=st.integers(1, 4),
    before=st.none() | st.integers(0, 21),
)
def test_nothing_needed_new_or_young_goes(ages, needed, keep, before):
    artifacts = [Artifact(Path(key), key, changed_at) for key, changed_at in ages.items()]
    gone = unneeded_artifacts(artifacts, needed=needed, keep=keep, before=before)
    stay = [artifact for artifact in artifacts if artifact.path not in gone]
    free = [artifact for artifact in stay if artifact.key not in needed]
    assert not {path.name for path in gone} & needed
    if gone:
        assert len(free) >= keep
        oldest_gone = max(a.changed_at for a in artifacts if a.path in gone)
        assert sum(a.changed_at >= oldest_gone for a in free) >= keep
    assert before is None or all(a.changed_at < before for a in artifacts if a.path in gone)
    if before is None:
        assert len(free) <= keep
