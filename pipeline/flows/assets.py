"""What the stages make, as assets of Prefect: the data, and the versions that come of it.

Prefect gives an event for each that is made, with what it was made of. They say which run made
which version of which data.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any

from prefect.assets import Asset, add_asset_metadata

from pipeline.data.preparation import DataReference, convert
from pipeline.models import MODEL
from pipeline.training.registration import register
from registry import ModelVersion

_DATA = Asset(key="digits://data/mnist")
_MODEL = Asset(key=f"digits://models/{MODEL}")


@dataclass(frozen=True, slots=True)
class Product:
    """The asset that a stage makes."""

    asset: Asset
    made_of: tuple[Asset, ...]
    facts: Callable[[Any], dict[str, Any]]
    """Returns what the event says about the stage's result."""

    def described(self, stage: Callable[..., Any]) -> Callable[..., Any]:
        """Return the stage as a function that also adds the facts to the event of its task."""

        @wraps(stage)
        def call(*args: Any, **kwargs: Any) -> Any:
            result = stage(*args, **kwargs)
            add_asset_metadata(self.asset, self.facts(result))
            return result

        return call


def _facts_of_data(data: DataReference) -> dict[str, Any]:
    return {
        part.split.name: {file.name: file.sha256 for file in (part.split.images, part.split.labels)}
        for part in (data.train, data.test)
    }


def _facts_of_version(version: ModelVersion) -> dict[str, Any]:
    return {
        "version": version.reference,
        "sha256": version.sha256,
        "inputs": dict(version.inputs),
    }


PRODUCTS: Mapping[Callable[..., Any], Product] = {
    convert: Product(_DATA, (), _facts_of_data),
    register: Product(_MODEL, (_DATA,), _facts_of_version),
}
"""What a stage makes, by the stage."""
