"""What is kept of labelled images: each image once, and a list for each set."""

import hashlib
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from examples import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import open_registry
from pipeline.data import parquet
from pipeline.data.labelled import collect, packs, read, storage
from pipeline.errors import DamagedDataError
from pipeline.images.encoding import png
from pipeline.images.normalization import are_normalized
from pipeline.jobs.ingestion import ingest
from pipeline.jobs.pruning import prune
from pipeline.settings import load_settings
from registry import RunRecord


@pytest.fixture
def data(sources):
    return ingest()


def _drawn(count):
    """Return images that are like MNIST's, so that they are left as they are, and none of its."""
    images = np.zeros((4 * count, 28, 28), np.uint8)
    images[:, 4:24, 8:20] = np.random.default_rng(0).integers(1, 3, (4 * count, 20, 12)) * 100
    return images[are_normalized(images)][:count]


IMAGES = _drawn(201)


def image(seed):
    return IMAGES[seed]


def fill(directory, seeds, name="{}.png"):
    for seed in seeds:
        path = directory / str(seed % 10) / name.format(seed)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png(image(seed)))


def stored(kept):
    """Return how often each image is stored, by its pixels."""
    counts = {}
    for path in (kept / "images").glob("*.parquet"):
        for value in pq.read_table(path, columns=["image"])["image"].to_pylist():
            counts[value] = counts.get(value, 0) + 1
    return counts


def contents(reference):
    split = read(reference.path, reference.sha256)
    return {
        path: (label, pixels.tobytes())
        for part in (split.training, split.held_out)
        for path, label, pixels in zip(part.paths, part.labels.tolist(), part.images, strict=True)
    }


NIGHTS = st.lists(st.sets(st.integers(0, 30), min_size=1, max_size=12), min_size=1, max_size=4)


@given(NIGHTS)
@settings(max_examples=examples(6), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_each_image_is_stored_once_and_every_night_reads_its_own(data, nights):
    """Whatever came, went, and came back under other names."""
    with tempfile.TemporaryDirectory() as name:
        kept = Path(name) / "kept"
        references = []
        for night, seeds in enumerate(nights):
            own = Path(name) / f"own-{night}"
            fill(own, seeds, f"{night % 2}-{{}}.png")
            references.append(collect(own, data, kept).reference)
        every = {image(seed).tobytes() for seed in set().union(*nights)}
        assert stored(kept) == dict.fromkeys(every, 1)
        for night, (seeds, reference) in enumerate(zip(nights, references, strict=True)):
            found = contents(reference)
            values = sorted((seed % 10, image(seed).tobytes()) for seed in seeds)
            assert sorted(found.values()) == values
            # A set of equal images and labels is written once; its paths are those of the last.
            last = max(n for n, other in enumerate(references) if other == reference)
            names = {f"{seed % 10}/{last % 2}-{seed}.png" for seed in seeds}
            assert set(found) == names, night


def test_a_night_that_brings_nothing_new_costs_little(data, tmp_path):
    """Without the old images, and without their paths."""
    sizes = []
    for count in (200, 201):
        fill(tmp_path / "own", range(count))
        reference = collect(tmp_path / "own", data, tmp_path / "kept").reference
        sizes.append(reference.path.stat().st_size)
    (new,) = [
        path
        for path in (tmp_path / "kept" / "images").glob("*.parquet")
        if pq.read_metadata(path).num_rows == 1
    ]
    assert max(sizes) < 200 * 30
    assert new.stat().st_size < 200 * 30


def _as_earlier_releases(split, path):
    """Write a set as it was written before there were packs."""
    parts = (split.training, split.held_out)
    images, labels = (
        np.concatenate([getattr(part, name) for part in parts]) for name in ("images", "labels")
    )
    paths = [name for part in parts for name in part.paths]
    digests = [hashlib.sha256(pixels.tobytes()).hexdigest() for pixels in images]
    order = np.argsort(digests)
    columns = {
        "image": parquet.image_column(images[order]),
        "label": pa.array(labels[order]),
        "path": [paths[index] for index in order],
    }
    pq.write_table(pa.table(columns), path, compression="zstd")


def test_sets_of_earlier_releases_are_read_and_gone_on_with(data, tmp_path):
    fill(tmp_path / "own", range(20))
    kept = tmp_path / "kept"
    reference = collect(tmp_path / "own", data, kept).reference
    before = contents(reference)
    _as_earlier_releases(read(reference.path, reference.sha256), reference.path)
    shutil.rmtree(kept / "images")
    assert contents(reference) == before
    # The record of the earlier release leads to it.
    assert collect(tmp_path / "own", data, kept).reference == reference
    assert not (kept / "images").exists()
    fill(tmp_path / "own", range(20, 25))
    after = contents(collect(tmp_path / "own", data, kept).reference)
    assert before.items() < after.items()
    assert storage.images_of(reference.path) == {}


def test_damaged_and_missing_packs_are_made_again(data, tmp_path):
    fill(tmp_path / "own", range(20))
    kept = tmp_path / "kept"
    reference = collect(tmp_path / "own", data, kept).reference
    before = contents(reference)
    (pack,) = (kept / "images").glob("*.parquet")
    whole = pack.read_bytes()
    table = pq.read_table(pack)
    images = table["image"].to_pylist()
    swapped = table.set_column(2, table.schema.field(2), pa.array(images[::-1], packs.IMAGE))
    for damage in (
        pack.unlink,
        lambda: pack.write_bytes(whole[:-10]),
        lambda: pq.write_table(swapped, pack),
        lambda: pq.write_table(table.slice(3), pack),
    ):
        damage()
        storage._read.cache_clear()
        with pytest.raises(DamagedDataError):
            read(reference.path, reference.sha256)
        assert collect(tmp_path / "own", data, kept).reference == reference
        assert contents(reference) == before


# Pruning.


@given(
    nights=st.lists(st.sets(st.integers(0, 15), min_size=1, max_size=6), min_size=1, max_size=5),
    needed=st.sets(st.integers(0, 4)),
)
@settings(max_examples=examples(6), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pruning_leaves_the_images_of_the_sets_that_stay(data, nights, needed):
    used = load_settings()
    shutil.rmtree(used.labelled, ignore_errors=True)
    (used.home / "registry.db").unlink(missing_ok=True)
    sets = {}
    with tempfile.TemporaryDirectory() as name, open_registry(used) as registry:
        for night, seeds in enumerate(nights):
            fill(Path(name) / f"night-{night}", seeds)
            reference = collect(Path(name) / f"night-{night}", data, used.labelled).reference
            sets[reference] = contents(reference)
            inputs = {"labelled": reference.sha256} if night in needed else {}
            details = RunRecord(run_id=f"run-{night}", inputs=inputs)
            version = registry.register("mnist", b"%d" % night, details)
            if night in needed:
                registry.set_alias("mnist", f"keep-{night}", version.number)
    planned = prune(1, dry_run=True)
    assert prune(1) == planned
    assert not any(path.exists() for path in planned.files)
    left = {reference: each for reference, each in sets.items() if reference.path.exists()}
    storage._read.cache_clear()
    for reference, each in left.items():
        assert contents(reference) == each
    every = {pixels for each in left.values() for _, pixels in each.values()}
    assert stored(used.labelled) == dict.fromkeys(every, 1)


def test_a_damaged_set_that_stays_keeps_all_images(data, tmp_path, caplog):
    used = load_settings()
    references = []
    for seeds in (range(5), range(5, 9)):
        fill(tmp_path / str(seeds), seeds)
        references.append(collect(tmp_path / str(seeds), data, used.labelled).reference)
    with open_registry(used) as registry:
        inputs = {"labelled": references[1].sha256}
        registry.register("mnist", b"1", RunRecord(run_id="run", inputs=inputs))
    references[1].path.write_bytes(b"PAR1")
    prune(1)
    assert len(stored(used.labelled)) == 9
    assert "No labelled image is removed" in caplog.text
