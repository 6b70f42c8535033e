"""A network as an ONNX model gives the same answers in onnxruntime."""

import mnist_sample
import numpy as np
import onnxruntime
import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from mnist_sample import SAMPLE

from nn import NeuralNetwork, NotFittedError
from nn.views import VIEWS
from pipeline.models.onnx_format import to_onnx

IMAGES, _ = mnist_sample.arrays(SAMPLE.test)

ANY_NETWORK = {
    "views": st.lists(st.sampled_from(VIEWS), min_size=1, max_size=3),
    "hidden": st.lists(st.integers(1, 12), max_size=3),
    "activation": st.sampled_from(["sigmoid", "tanh", "relu"]),
    "output": st.sampled_from(["softmax", "sigmoid"]),
    "temperature": st.floats(0.5, 10),
    "seed": st.integers(0, 99),
}


@settings(max_examples=examples(15))
@given(**ANY_NETWORK)
def test_onnxruntime_gives_the_same_probabilities(
    views, hidden, activation, output, temperature, seed
):
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 256, (10, 784), dtype=np.uint8)
    images = np.concatenate([IMAGES[:10].reshape(10, 784), noise])
    images[0] = 0
    network = NeuralNetwork(
        (784, *hidden, 10),
        views=views,
        activation=activation,
        output=output,
        epochs=1,
        seed=seed,
        threads=1,
    )
    network.fit(images, rng.integers(0, 10, 20))
    network.temperature = temperature
    session = onnxruntime.InferenceSession(to_onnx(network).SerializeToString())
    (probabilities,) = session.run(["probabilities"], {"images": images})
    np.testing.assert_allclose(probabilities, network.predict_proba(images), atol=1e-5)


def test_a_network_without_weights_is_an_error():
    with pytest.raises(NotFittedError):
        to_onnx(NeuralNetwork((784, 10)))
