"""How the weights of two versions differ, layer by layer."""

from dataclasses import dataclass

import numpy as np

from nn import NeuralNetwork


@dataclass(frozen=True, slots=True)
class LayerDifference:
    """Two layers of the same name."""

    layer: str
    """``weights.1``, ``biases.1``, …"""
    first: tuple[int, ...] | None
    """Its shape; None where a network has no such layer."""
    second: tuple[int, ...] | None
    distance: float | None
    """The norm of the difference as a share of the first's norm; None where shapes differ."""


def differing_layers(first: bytes, second: bytes) -> list[LayerDifference]:
    """Return the layers in which two networks differ.

    Raises
    ------
    nn.WeightsError
        Where one of them is not a network's weights.
    """
    networks = [_layers(NeuralNetwork.from_bytes(data)) for data in (first, second)]
    found = []
    for name in networks[0] | networks[1]:
        a, b = (layers.get(name) for layers in networks)
        if a is None or b is None or a.shape != b.shape:
            first_shape, second_shape = (None if x is None else x.shape for x in (a, b))
            found.append(LayerDifference(name, first_shape, second_shape, None))
        elif not np.array_equal(a, b):
            norm = float(np.linalg.norm(a))
            distance = float(np.linalg.norm(b - a)) / norm if norm else float("inf")
            found.append(LayerDifference(name, a.shape, b.shape, distance))
    return found


def _layers(network: NeuralNetwork) -> dict[str, np.ndarray]:
    return {
        f"{kind}.{layer}": arrays[layer]
        for layer in range(1, len(network.sizes))
        for kind, arrays in (("weights", network.weights), ("biases", network.biases))
    }
