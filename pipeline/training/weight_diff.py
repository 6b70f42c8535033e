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
    """Shape of the layer in the first network; None if it has no such layer."""
    second: tuple[int, ...] | None
    """Shape of the layer in the second network; None if it has no such layer."""
    distance: float | None
    """Norm of the difference divided by the norm of the first; None if the shapes differ."""


def differing_layers(first: bytes, second: bytes) -> list[LayerDifference]:
    """Return the layers in which two networks differ.

    Raises
    ------
    nn.WeightsError
        If the bytes are not the weights of a network.
    """
    networks = [_layers(NeuralNetwork.from_bytes(data)) for data in (first, second)]
    differences = []
    for name in networks[0] | networks[1]:
        a, b = (layers.get(name) for layers in networks)
        if a is None or b is None or a.shape != b.shape:
            first_shape, second_shape = (None if x is None else x.shape for x in (a, b))
            differences.append(LayerDifference(name, first_shape, second_shape, None))
        elif not np.array_equal(a, b):
            norm = float(np.linalg.norm(a))
            distance = float(np.linalg.norm(b - a)) / norm if norm else float("inf")
            differences.append(LayerDifference(name, a.shape, b.shape, distance))
    return differences


def _layers(network: NeuralNetwork) -> dict[str, np.ndarray]:
    # Those of a committee are put together each time that they are asked for.
    kinds = {"weights": network.weights, "biases": network.biases}
    return {
        f"{kind}.{layer}": arrays[layer]
        for layer in range(1, len(network.sizes))
        for kind, arrays in kinds.items()
    }
