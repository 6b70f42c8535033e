"""MLflow's registry as a worker process: the same queries to its `SqlAlchemyStore`.

It runs in its own environment, and imports only the worker loop from this project.
"""

import logging
import random
import sqlite3
import tempfile
from importlib.metadata import version
from typing import Any

import sqlalchemy as sa
from mlflow.entities.model_registry import ModelVersionTag
from mlflow.store.model_registry.dbmodels import models
from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore
from mlflow.utils.search_utils import SearchUtils

from benchmarks.registry.worker import serve

# The same as in `benchmarks.registry.fill`.
LARGE = "mnist"
OTHERS = 100
TEAMS = ("ocr", "post", "bank", "lab")

_SOURCE = "/models/mnist"
_BATCH = 10_000
_NEWEST = ["version_number DESC"]


class MLflow:
    """A registry, and queries about models and versions chosen at random."""

    def __init__(self) -> None:
        self.rng = random.Random(0)
        self.store: SqlAlchemyStore | None = None
        self.url = ""
        self.large = 0

    def releases(self) -> str:
        """Return the versions of the measured packages."""
        return (
            f"MLflow {version('mlflow')}, SQLite {sqlite3.sqlite_version}, "
            f"SQLAlchemy {version('sqlalchemy')}"
        )

    def fill(self, url: str, versions: int, journal: str) -> None:
        """Create a registry with this many versions, like `fill` but without metrics."""
        engine = SqlAlchemyStore(url).engine
        with engine.connect() as connection:
            # The journal mode is stored in the file, for all later connections.
            connection.exec_driver_sql(f"PRAGMA journal_mode = {journal}")
        numbers = dict.fromkeys(map(_model_of, range(min(versions, 2 * OTHERS))), 0)
        with engine.begin() as connection:
            connection.execute(
                sa.insert(models.SqlRegisteredModel), [{"name": name} for name in numbers]
            )
            for start in range(0, versions, _BATCH):
                rows = [
                    _row(index, numbers) for index in range(start, min(start + _BATCH, versions))
                ]
                connection.execute(sa.insert(models.SqlModelVersion), rows)
                tags = [
                    {"name": row["name"], "version": row["version"], "key": key, "value": value}
                    for row in rows
                    for key, value in (
                        ("team", self.rng.choice(TEAMS)),
                        ("seed", row["run_id"].removeprefix("run-")),
                    )
                ]
                connection.execute(sa.insert(models.SqlModelVersionTag), tags)
            connection.execute(
                sa.insert(models.SqlRegisteredModelAlias),
                [
                    {"name": name, "alias": "champion", "version": number}
                    for name, number in numbers.items()
                ],
            )

    def use(self, url: str) -> None:
        """Open a registry for the next commands."""
        self.url = url
        self.store = SqlAlchemyStore(url)
        newest = self._search("", 1)
        self.large = int(newest[0].version) if newest else 0

    def durability(self) -> str:
        """Return the durability settings of the store's connection, as SQLite reports them."""
        with self.store.ManagedSessionMaker() as session:
            journal = session.execute(sa.text("PRAGMA journal_mode")).scalar()
            synchronous = session.execute(sa.text("PRAGMA synchronous")).scalar()
        return f"journal_mode {journal}, synchronous {synchronous}"

    def open(self) -> None:
        """Open the store again with a new engine, like a new process."""
        SqlAlchemyStore._engine_map.pop(self.url, None)
        SqlAlchemyStore(self.url).engine.dispose()

    def open_new(self) -> None:
        """Create a store."""
        with tempfile.TemporaryDirectory() as directory:
            SqlAlchemyStore(f"sqlite:///{directory}/registry.db").engine.dispose()

    def alias(self) -> None:
        """Get the champion of a model."""
        self.store.get_model_version_by_alias(self._model(), "champion")

    def latest_large(self) -> None:
        """Get the latest version of the large model by `get_latest_versions`."""
        self.store.get_latest_versions(LARGE)

    def newest_large(self) -> None:
        """Get the latest version of the large model by a search with limit 1."""
        self._search("", 1)

    def number(self) -> None:
        """Get a version of the large model by number."""
        self.store.get_model_version(LARGE, self.rng.randint(1, self.large))

    def tagged(self) -> None:
        """Get the latest 20 versions of the large model with a tag that one in four has."""
        self._search(f" AND tags.team = '{self.rng.choice(TEAMS)}'", 20)

    def run(self) -> None:
        """Get the version of a run."""
        run = 2 * self.rng.randrange(self.large)
        self._search(f" AND run_id = 'run-{run}'", 20)

    def rare(self) -> None:
        """Get the only version of the large model with a value of a tag."""
        seed = 2 * self.rng.randrange(self.large)
        self._search(f" AND tags.seed = '{seed}'", 20)

    def page(self) -> None:
        """Get a page of 100, nine tenths down."""
        after = max(1, self.large // 10 + self.rng.randrange(-10, 10))
        token = SearchUtils.create_page_token(max(0, self.large - after))
        self._search("", 100, token)

    def register(self) -> None:
        """Add a version of the large model, with a tag for the parameter and each metric."""
        self.store.create_model_version(
            LARGE,
            _SOURCE,
            tags=[
                ModelVersionTag("accuracy", str(self.rng.uniform(0.9, 1.0))),
                ModelVersionTag("loss", "0.1"),
                ModelVersionTag("seed", "0"),
                ModelVersionTag("team", self.rng.choice(TEAMS)),
            ],
        )

    def _search(self, condition: str, limit: int, token: str | None = None) -> list[object]:
        return self.store.search_model_versions(
            f"name = '{LARGE}'{condition}", limit, _NEWEST, token
        )

    def _model(self) -> str:
        """Return the large model or another one, with equal probability."""
        if self.rng.random() < 0.5:
            return LARGE
        return f"other-{self.rng.randrange(min(OTHERS, self.large))}"


def _model_of(index: int) -> str:
    return LARGE if index % 2 == 0 else f"other-{index // 2 % OTHERS}"


def _row(index: int, numbers: dict[str, int]) -> dict[str, Any]:
    name = _model_of(index)
    numbers[name] += 1
    return {
        "name": name,
        "version": numbers[name],
        "source": _SOURCE,
        "storage_location": _SOURCE,
        "run_id": f"run-{index}",
    }


if __name__ == "__main__":
    logging.disable()
    mlflow = MLflow()
    serve({name: getattr(mlflow, name) for name in dir(mlflow) if not name.startswith("_")})
