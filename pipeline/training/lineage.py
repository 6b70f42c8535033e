"""Lineage: the inputs, parameters and code that decide on a version."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.data.labelled import LabelledReference
from pipeline.data.preparation import DataReference
from pipeline.provenance import code_version
from pipeline.settings import Thresholds
from pipeline.training.presets import network_params
from registry import ModelVersion

# The parameters of a version that are not parameters of its network.
_RUN_PARAMS = frozenset(("preset", "gate"))


@dataclass(frozen=True, slots=True)
class Lineage:
    """Everything that decides on a version: an equal lineage gives an equal version."""

    inputs: Mapping[str, str]
    """SHA-256 of everything that is trained and tested on, by role."""
    params: Mapping[str, Any]
    """The preset, the network's parameters, and the gate's thresholds."""
    code_version: str

    @property
    def network_params(self) -> dict[str, Any]:
        """The parameters of the network."""
        return network_params_of(self.params)

    @property
    def training_digest(self) -> str:
        """SHA-256 of everything that decides on the weights."""
        contents = [dict(self.inputs), self.network_params, self.code_version]
        return hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest()

    def made(self, version: ModelVersion) -> bool:
        """Whether a version has this lineage."""
        return self.matches(version.inputs, version.params, version.code_version)

    def matches(
        self, inputs: Mapping[str, str], params: Mapping[str, Any], code_version: str | None
    ) -> bool:
        """Whether the recorded lineage of a version or candidate equals this one."""
        params = dict(params)
        if self.params["threads"] is None:
            # All cores are used, now as then.
            params["threads"] = None
        return (dict(inputs), params, code_version) == (
            self.inputs,
            self.params,
            self.code_version,
        )


def lineage_of(
    data: DataReference,
    labelled: LabelledReference | None,
    preset: str,
    seed: int,
    thresholds: Thresholds,
) -> Lineage:
    """Return the lineage of a retraining that starts now."""
    params = {
        "preset": preset,
        "gate": thresholds.model_dump(),
        **network_params(preset, seed),
    }
    return Lineage(inputs_of(data, labelled), params, code_version())


def inputs_of(data: DataReference, labelled: LabelledReference | None) -> dict[str, str]:
    """Return the digests of everything that is trained and tested on, by role."""
    return {**data.inputs, **({"labelled": labelled.sha256} if labelled else {})}


def network_params_of(params: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of the network among those of a version."""
    return {name: value for name, value in params.items() if name not in _RUN_PARAMS}
