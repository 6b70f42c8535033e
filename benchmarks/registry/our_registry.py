"""Our registry as a worker process."""

import os
import random
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from importlib.metadata import version

from benchmarks.registry.fill import LARGE, OTHERS, TEAMS, fill
from benchmarks.registry.worker import serve
from registry import Registry, RunRecord
from registry.blobs import Blobs, StoredBlob

WEIGHTS = 407_080
"""Size in bytes of a 784-128-10 network of float32."""


class MemoryBlobs(Blobs):
    """A store that keeps only digests, to measure registering without the file."""

    def __init__(self) -> None:
        self._digests: set[str] = set()

    @property
    def location(self) -> str:
        """The location of the store, for messages."""
        return "memory:"

    def location_of(self, sha256: str) -> str:
        """Return the location of a blob, for messages."""
        return f"memory:{sha256}"

    def has(self, sha256: str) -> bool:
        """Tell whether a blob is stored."""
        return sha256 in self._digests

    def size_of(self, sha256: str) -> int | None:  # noqa: ARG002
        """Return nothing: no benchmark asks for sizes."""
        return None

    def delete(self, sha256: str) -> None:
        """Remove a blob if it is there."""
        self._digests.discard(sha256)

    def owners(self) -> set[str]:
        """Return nothing: no benchmark collects garbage."""
        return set()

    def add_owner(self, registry_id: str, address: str) -> None:
        """Do nothing: no other registry can use it."""

    def stored(self) -> Iterator[StoredBlob]:
        """Yield nothing: no benchmark lists blobs."""
        return iter(())

    def temporary_files(self, before: float) -> Iterator[tuple[str, int]]:  # noqa: ARG002
        """Yield nothing: there are no temporary files."""
        return iter(())

    def delete_temporary_file(self, name: str) -> None:
        """Raise an error: there are no temporary files."""
        raise NotImplementedError(name)

    def _put(self, data: bytes, sha256: str) -> Callable[[], None]:  # noqa: ARG002
        self._digests.add(sha256)
        return lambda: None

    def _get(self, sha256: str) -> bytes | None:  # noqa: ARG002
        return None


class OurRegistry:
    """A registry, and queries about models and versions chosen at random."""

    def __init__(self) -> None:
        self.rng = random.Random(0)
        self.registry: Registry | None = None
        self.url = ""
        self.blobs = ""
        self.large = 0

    def releases(self) -> str:
        """Return the versions of the measured packages."""
        return f"SQLite {sqlite3.sqlite_version}, SQLAlchemy {version('sqlalchemy')}"

    def fill(self, url: str, blobs: str, versions: int) -> None:
        """Create a registry with this many versions."""
        fill(url, blobs, versions)

    def close(self) -> None:
        """Close the registry, if one is open."""
        if self.registry is not None:
            self.registry.close()

    def use(self, url: str, blobs: str, weights: str) -> None:
        """Open a registry for the next commands, with weights in ``files`` or in ``memory``."""
        self.close()
        self.url, self.blobs = url, blobs
        self.registry = Registry(url, blobs)
        if weights == "memory":
            self.registry._blobs = MemoryBlobs()
        newest = self.registry.versions(LARGE, limit=1)
        self.large = newest[0].number if newest else 0

    def durability(self) -> str:
        """Return how the connection of the registry writes, as SQLite itself says."""
        with self.registry._database.read() as connection:
            journal = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
            synchronous = connection.exec_driver_sql("PRAGMA synchronous").scalar()
        return f"journal_mode {journal}, synchronous {synchronous}"

    def open(self) -> None:
        """Open the registry again."""
        Registry(self.url, self.blobs).close()

    def open_new(self) -> None:
        """Create a registry."""
        with tempfile.TemporaryDirectory() as directory:
            Registry(f"sqlite:///{directory}/registry.db", f"{directory}/blobs").close()

    def alias(self) -> None:
        """Get the champion of a model."""
        self.registry.get(f"{self._model()}@champion")

    def latest(self) -> None:
        """Get the latest version of a model."""
        self.registry.latest(self._model())

    def latest_large(self) -> None:
        """Get the latest version of the large model."""
        self.registry.latest(LARGE)

    def number(self) -> None:
        """Get a version of the large model by number."""
        self.registry.get(f"{LARGE}/{self.rng.randint(1, self.large)}")

    def top(self) -> None:
        """Get the ten best versions of the large model."""
        self.registry.versions(LARGE, order_by="metrics.accuracy desc", limit=10)

    def top_small(self) -> None:
        """Get the ten best versions of a model that has one in 200 of all versions."""
        name = f"other-{self.rng.randrange(OTHERS)}"
        self.registry.versions(name, order_by="metrics.accuracy desc", limit=10)

    def tagged(self) -> None:
        """Get the latest 20 versions of the large model with a tag that one in four has."""
        self.registry.versions(LARGE, where=f"tags.team = '{self._team()}'", limit=20)

    def filtered(self) -> None:
        """Get the latest 20 with a tag and a metric that one in 40 has."""
        where = f"metrics.accuracy >= 0.99 and tags.team = '{self._team()}'"
        self.registry.versions(LARGE, where=where, limit=20)

    def run(self) -> None:
        """Get the version of a run."""
        run = 2 * self.rng.randrange(self.large)
        self.registry.versions(LARGE, where=f"run_id = 'run-{run}'", limit=20)

    def rare(self) -> None:
        """Get the only version of the large model with a value of a parameter."""
        seed = 2 * self.rng.randrange(self.large)
        self.registry.versions(LARGE, where=f"params.seed = {seed}", limit=20)

    def page(self) -> None:
        """Get a page of 100, nine tenths down."""
        after = max(1, self.large // 10 + self.rng.randrange(-10, 10))
        self.registry.versions(LARGE, limit=100, after=f"{LARGE}/{after}")

    def register(self) -> None:
        """Add a version of the large model."""
        self.registry.register(
            LARGE,
            os.urandom(8) + bytes(WEIGHTS - 8),
            RunRecord(
                metrics={"accuracy": self.rng.uniform(0.9, 1.0), "loss": 0.1},
                params={"seed": 0},
                tags={"team": self._team()},
            ),
        )

    def _model(self) -> str:
        """Return the large model or another one, with equal probability."""
        if self.rng.random() < 0.5:
            return LARGE
        return f"other-{self.rng.randrange(min(OTHERS, self.large))}"

    def _team(self) -> str:
        return self.rng.choice(TEAMS)


if __name__ == "__main__":
    ours = OurRegistry()
    serve({name: getattr(ours, name) for name in dir(ours) if not name.startswith("_")})
