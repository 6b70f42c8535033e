"""Reproduction: a version trained again from what is recorded of it, and compared."""

import contextlib
import shutil
from pathlib import Path

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
    reference: str,
    *,
    labelled: str | Path | None = None,
    settings: Settings | None = None,
) -> Reproduction:
    """Train a version again from its recorded lineage, and compare the weights.

    Nothing is registered. Killed and run again, it goes on where it was.

    Parameters
    ----------
    reference : str
    labelled : str or Path, optional
        Where the labelled images are that it was trained on, if this machine has not kept them.
    settings : Settings, optional
        Of the environment where not given.

    Raises
    ------
    LineageError
        Where what it was trained on, or how, is not recorded or not to be had.
    NoMirrorLeftError
        Where MNIST is neither there nor to be had.
    registry.NotFoundError
        Where there is no such version.
    """
    settings = settings or load_settings()
    with open_registry(settings) as registry:
        version = registry.get(full_reference(reference))
    params = network_params_of(version.params)
    try:
        NeuralNetwork.from_params(params)
    except (TypeError, NetworkError) as error:
        raise LineageError(
            f"{version.reference}: expected the parameters of its network on record, got "
            f"{', '.join(params) or 'none'} ({error})."
        ) from None
    data = ingest(settings=settings)
    own = _labelled(version, data, labelled, settings)
    found = inputs_of(data, own)
    if found != version.inputs:
        differing = sorted(
            role
            for role in {**found, **version.inputs}
            if found.get(role) != version.inputs.get(role)
        )
        raise LineageError(
            f"{version.reference} was trained on other data than there is here: "
            f"{', '.join(differing)}."
        )
    code = code_version()
    directory = settings.unfinished / f"reproduction-{version.sha256[:16]}-{code}"
    with files.locked(directory):
        candidate = train(data, own, params, directory)
        layers: list[LayerDifference] = []
        if candidate.sha256 != version.sha256:
            with contextlib.suppress(BlobError), open_registry(settings) as registry:
                weights = registry.load(version.reference)
                layers = differing_layers(weights, candidate.path.read_bytes())
        shutil.rmtree(directory)
    then = {**version.environment, "code": version.code_version}
    now = {**environment(), "code": code}
    return Reproduction(
        version,
        candidate,
        tuple(layers),
        {
            name: (then.get(name), now.get(name))
            for name in sorted(then | now)
            if then.get(name) != now.get(name)
        },
    )


def _labelled(
    version: ModelVersion, data: DataReference, source: str | Path | None, settings: Settings
) -> LabelledReference | None:
    """Return the labelled images that a version was trained on, from where they were kept."""
    sha256 = version.inputs.get("labelled")
    if sha256 is None:
        return None
    kept = LabelledReference(path_of(settings.labelled, sha256), sha256)
    if kept.path.exists():
        return kept
    collection = collect(source, data, settings.labelled) if source else None
    if collection is None or collection.reference != kept:
        got = "others" if collection else "none here"
        raise LineageError(
            f"{version.reference} was trained on labelled images with the SHA-256 {sha256}, got "
            f"{got}. Say with --labelled where they are."
        )
    return kept
