"""The versions that scored what is reviewed."""

from nn import NeuralNetwork
from pipeline.scoring.scorer import load_network
from registry import BlobError


def load_if_kept(blobs_url: str, sha256: str) -> NeuralNetwork | None:
    """Return the network with these weights; None if they are no longer there."""
    try:
        return load_network(blobs_url, sha256)
    except BlobError:
        return None
