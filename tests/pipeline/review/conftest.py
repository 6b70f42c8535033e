"""Queues over scored batches, and deciding."""

from functools import partial

import pytest

from pipeline import load_settings
from pipeline.review.decisions import new_id
from pipeline.review.networks import load_if_kept
from pipeline.review.queue import ReviewQueue
from pipeline.review.scored_batch import ScoredBatch


@pytest.fixture
def open_queue(retrained):
    """Open a queue over batches, as another process would."""

    def opened(*directories):
        settings = load_settings()
        batches = [ScoredBatch.open(directory) for directory in directories]
        return ReviewQueue(settings.reviews, batches, partial(load_if_kept, settings.blobs_url))

    return opened


@pytest.fixture
def decide():
    """Decide on an image that was given."""

    def decided(queue, item, answer, reviewer="ann", decision_id=None):
        decision = queue.decision_on(
            item.batch, item.row, item.sha256, answer, reviewer, decision_id or new_id()
        )
        queue.decide(decision)
        return decision

    return decided
