"""Every row of a batch leads back to the work item that it is of."""

import zipfile
from itertools import groupby

import cv2
import mnist_sample
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from mnist_sample import SAMPLE

from pipeline.images.encoding import png
from pipeline.images.reading import Reader
from pipeline.inputs.finding import work_items

IMAGES, _ = mnist_sample.arrays(SAMPLE.test)
FEW = IMAGES[:7].reshape(-1, 28, 28)


def test_every_path_belongs_to_its_key(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pipeline.inputs.csv_rows._ROWS", 3)
    monkeypatch.setattr("pipeline.inputs.array_rows._ROWS", 3)
    lines = [",".join(map(str, image.ravel())) for image in FEW]
    (tmp_path / "a.csv").write_text("\n".join(lines))
    np.save("b.npy", FEW)
    np.savez("c.npz", first=FEW, second=FEW)
    rows = pa.table({"image": [image.tobytes() for image in FEW]})
    pq.write_table(rows, "d.parquet", row_group_size=3)
    with zipfile.ZipFile("e.zip", "w") as archive:
        archive.writestr("in it.png", png(FEW[0]))
    cv2.imwritemulti("f.tif", list(FEW[:3]))
    (tmp_path / "g.npy").write_bytes(b"\x93NUMPY broken")
    inputs = sorted(path.name for path in tmp_path.iterdir())
    found = 0
    for source, items in groupby(work_items(inputs), lambda item: item.source):
        keys = [item.key for item in items]
        for key in keys:
            for batch in source.batches([key], 2, Reader()):
                for path in batch.paths:
                    assert source.key_of(path, keys) == key, path
                    found += 1
        assert source.key_of("another.png", keys) is None
    assert found == 7 + 7 + 14 + 7 + 1 + 3 + 1
