"""A model card: read the version → ingest → read test images, as they are and as people send them.

The figures are measured when the card is made, with the weights of the version.
"""

import numpy as np

from pipeline.data import parquet
from pipeline.errors import InvalidParameterError
from pipeline.jobs.ingestion import ingest
from pipeline.metrics.evaluation import evaluate
from pipeline.models import full_reference, open_registry
from pipeline.reporting.model_card import ModelCard
from pipeline.scoring.classifier import Classifier
from pipeline.scoring.specimens import KINDS
from pipeline.settings import Settings, load_settings

_SEED = 0


def model_card(
    reference: str, *, images_of_a_kind: int = 100, settings: Settings | None = None
) -> ModelCard:
    """Measure a version for its model card.

    Parameters
    ----------
    reference : str
        Reference of the version.
    images_of_a_kind : int
        Number of test images that are drawn for each kind.
    settings : Settings, optional
        Those of the environment by default.

    Raises
    ------
    InvalidParameterError
        If the number of images is not from 1 to the size of the test set.
    registry.NotFoundError
        If there is no such version.
    """
    settings = settings or load_settings()
    with open_registry(settings, create=False) as registry:
        version = registry.get(full_reference(reference))
        registration = registry.history(version.name, number=version.number)[-1]
    classifier = Classifier.load(version, settings=settings)
    data = ingest(settings=settings)
    test = parquet.read(data.test.path, data.test.split)
    if not 1 <= images_of_a_kind <= len(test):
        raise InvalidParameterError("images_of_a_kind", f"1 to {len(test)}", images_of_a_kind)
    rng = np.random.default_rng(_SEED)
    chosen = rng.permutation(len(test))[:images_of_a_kind]
    kinds = {}
    for kind, draw in KINDS.items():
        sheets = [draw(test.images[index].reshape(28, 28), rng) for index in chosen]
        digits = [prediction.digit for prediction in classifier.read(sheets)]
        # An image without a prediction counts as a mistake.
        right = [digit == label for digit, label in zip(digits, test.labels[chosen], strict=True)]
        kinds[kind] = sum(map(bool, right)) / len(right)
    probabilities = classifier.network.predict_proba(test.images)
    evaluation = evaluate(probabilities, test.images, test.labels, "test image {}".format)
    return ModelCard(version, registration, evaluation, kinds, images_of_a_kind)
