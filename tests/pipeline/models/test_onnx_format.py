"""A network as an ONNX model gives the same answers in onnxruntime."""

import numpy as np
import onnxruntime
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from nn import NeuralNetwork, NotFittedError
from pipeline.models.onnx_format import to_onnx

ANY_NETWORK = {
    "hidden": st.lists(st.integers(1, 12), max_size=3),
    "activation": st.sampled_from(["sigmoid", "tanh", "relu"]),
    "output": st.sampled_from(["softmax", "sigmoid"]),
    "temperature": st.floats(0.5, 10),
    "seed": st.integers(0, 99),
}


@settings(max_examples=examples(15))
@given(**ANY_NETWORK)
def test_onnxruntime_gives_the_same_probabilities(hidden, activation, output, temperature, seed):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (20, 784), dtype=np.uint8)
    network = NeuralNetwork(
        (784, *hidden, 10), activation=activation, output=output, epochs=1, seed=seed, threads=1
    )
    network.fit(images, rng.integers(0, 10, 20))
    network.temperature = temperature
    session = onnxruntime.InferenceSession(to_onnx(network).SerializeToString())
    (probabilities,) = session.run(["probabilities"], {"images": images})
    np.testing.assert_allclose(probabilities, network.predict_proba(images), atol=1e-5)


def test_a_network_without_weights_is_an_error():
    with pytest.raises(NotFittedError):
        to_onnx(NeuralNetwork((784, 10)))
