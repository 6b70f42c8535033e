"""Reproduction: read the lineage → ingest → find the labelled images → train → compare."""

import contextlib
import shutil
from collections.abc import Mapping
from os import PathLike
from typing import Any

from nn import NetworkError, NeuralNetwork
from pipeline import files
from pipeline.data.labelled import LabelledReference, collect, path_of
from pipeline.data.preparation import DataReference
from pipeline.errors import LineageError
from pipeline.jobs.ingestion import ingest
from pipeline.models import full_reference, open_registry
from pipeline.provenance import code_version, environment
from pipeline.settings import Settings, load_settings
from pipeline.training.lineage import inputs_of, network_params_of
from pipeline.training.outcome import Reproduction
from pipeline.training.training import train
from pipeline.training.weight_diff import LayerDifference, differing_layers
from registry import BlobError, ModelVersion


def reproduce(
    reference: str | int | ModelVersion,
    *,
    labelled: str | PathLike[str] | None = None,
    settings: Settings | None = None,
) -> Reproduction:
    """Train a version again from its recorded lineage, and compare the weights.

    Nothing is registered. A run that was killed resumes when it is run again.

    Parameters
    ----------
    reference : str, int or ModelVersion
        The version.
    labelled : str or PathLike, optional
        The labelled images it was trained on, if this machine no longer has them.
    settings : Settings, optional
        Those of the environment by default.

    Raises
    ------
    LineageError
        If its inputs or its parameters are not recorded, or the inputs are not available.
    NoMirrorLeftError
        If MNIST is not in the data directory and no source delivers it.
    registry.NotFoundError
        If there is no such version.
    """
    settings = settings or load_settings()
    with open_registry(settings, create=False) as registry:
        version = registry.get(full_reference(reference))
    params = _network_params(version)
    data = ingest(settings=settings)
    user_images = _labelled(version, data, labelled, settings)
    _require_inputs(version, inputs_of(data, user_images))
    code = code_version()
    work = settings.unfinished / f"reproduction-{version.sha256[:16]}-{code}"
    with files.locked(work):
        candidate = train(data, user_images, params, work)
        layers: list[LayerDifference] = []
        if candidate.sha256 != version.sha256:
            # Without the version's own weights, only the digests can be compared.
            with contextlib.suppress(BlobError), open_registry(settings) as registry:
                weights = registry.load(version.reference)
                layers = differing_layers(weights, candidate.path.read_bytes())
        shutil.rmtree(work)
    changes = _environment_changes(version, {**environment(), "code": code})
    return Reproduction(version, candidate, tuple(layers), changes)


def _network_params(version: ModelVersion) -> dict[str, Any]:
    """Return the recorded parameters of a version's network."""
    params = network_params_of(version.params)
    try:
        NeuralNetwork.from_params(params)
    except (TypeError, NetworkError) as error:
        raise LineageError(
            f"{version.reference}: expected the recorded parameters of its network, got "
            f"{', '.join(params) or 'none'} ({error})."
        ) from None
    return params


def _require_inputs(version: ModelVersion, available: Mapping[str, str]) -> None:
    """Check that the inputs on this machine are those that a version was trained on."""
    differing = [
        role
        for role in sorted({**available, **version.inputs})
        if available.get(role) != version.inputs.get(role)
    ]
    if differing:
        raise LineageError(
            f"{version.reference} was trained on other data than this machine has: "
            f"{', '.join(differing)}."
        )


def _environment_changes(
    version: ModelVersion, now: dict[str, str]
) -> dict[str, tuple[str | None, str | None]]:
    """Return what differs between the recorded environment of a version and the current one."""
    then = {**version.environment, "code": version.code_version}
    return {
        name: (then.get(name), now.get(name))
        for name in sorted(then | now)
        if then.get(name) != now.get(name)
    }


def _labelled(
    version: ModelVersion,
    data: DataReference,
    source: str | PathLike[str] | None,
    settings: Settings,
) -> LabelledReference | None:
    """Return the labelled images that a version was trained on; None if there were none."""
    sha256 = version.inputs.get("labelled")
    if sha256 is None:
        return None
    kept = LabelledReference(path_of(settings.labelled, sha256), sha256)
    if kept.path.exists():
        return kept
    collection = collect(str(source), data, settings.labelled) if source else None
    if collection is None or collection.reference != kept:
        got = "other images" if collection else "none"
        raise LineageError(
            f"{version.reference} was trained on labelled images with the SHA-256 {sha256}, got "
            f"{got}. Name their directory with --labelled."
        )
    return kept
