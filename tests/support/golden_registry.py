"""The program that made ``tests/data/registries/2`` and ``3``, registries of these schemas.

Every later release must open those registries, so they must not be made again. Run as
``python tests/support/golden_registry.py DIRECTORY``. What schema 2 did not have is left out of
``2``.
"""

import sqlite3
import sys
from pathlib import Path

from registry import Check, Registry, RunRecord

PASSED = (Check("validation_accuracy", 0.98, 0.97, passed=True),)
FAILED = (*PASSED, Check("recall of 7", 0.4, 0.9, passed=False))


def make(directory: Path) -> None:
    """Write a registry that uses every feature."""
    place = f"sqlite:///{directory}/registry.db", str(directory / "blobs")
    with Registry(*place, actor="ann") as registry:
        registry.register(
            "mnist",
            b"weights 1",
            RunRecord(
                metrics={"validation_accuracy": 0.98, "recall.7": 0.95},
                params={"sizes": [784, 30, 10], "preset": "quick", "seed": None, "dropout": True},
                tags={"team": "ocr", "note": "Ünïcode 'quoted'"},
                inputs={"train_images": "ab" * 32},
                environment={"numpy": "2.1.0"},
                gate=PASSED,
                code_version="0.2.0",
                run_id="run-1",
            ),
            idempotency_key="run-1",
        )
        registry.register(
            "mnist", b"weights 2", RunRecord(gate=FAILED, parent="mnist/1"), idempotency_key="run-2"
        )
        registry.register("mnist", b"weights 3", RunRecord(gate=PASSED, parent="mnist/1"))
        registry.register("letters", b"weights of letters")
        registry.set_alias("mnist", "champion", 1)
        registry.set_alias("mnist", "champion", 3)
        registry.rollback("mnist")
        registry.set_alias("mnist", "challenger", 3)
        registry.set_alias("mnist", "gone", 2)
        registry.delete_alias("mnist", "gone")
        registry.archive("mnist/2")
        registry.tag("mnist/1", {"seen": "yes"})
        registry.describe("mnist/1", "The first one.")
        registry.describe_model("mnist", "Handwritten digits.")
        registry.protect("mnist", "champion")
        registry.propose("mnist/3", "champion", reason="better")
    # The file must hold the whole database, without a WAL file.
    connection = sqlite3.connect(directory / "registry.db")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    for rest in ("registry.db.lock", "registry.db-wal", "registry.db-shm", "blobs/tmp"):
        path = directory / rest
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
