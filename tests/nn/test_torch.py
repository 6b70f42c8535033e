"""Training steps against PyTorch's automatic differentiation and its own optimizers."""

import importlib.util

import numpy as np
import pytest
from small_training import examples, network, untrained

from nn.objectives import OBJECTIVES

if importlib.util.find_spec("torch") is None:
    pytest.skip("PyTorch is not installed, and only this oracle needs it", allow_module_level=True)

import torch
from torch.nn import functional

# On so little, threads would wait more than they work.
torch.set_num_threads(1)

STEPS = 5
ACTIVATIONS = {"relu": torch.relu, "sigmoid": torch.sigmoid, "tanh": torch.tanh}
OPTIMIZERS = {
    "sgd": lambda groups, rate: torch.optim.SGD(groups, rate),
    "momentum": lambda groups, rate: torch.optim.SGD(groups, rate, momentum=0.9),
    "nesterov": lambda groups, rate: torch.optim.SGD(groups, rate, momentum=0.9, nesterov=True),
    "adam": torch.optim.Adam,
}
RATES = {"sgd": 0.2, "momentum": 0.05, "nesterov": 0.05, "adam": 0.01}


def _mean_loss(z, labels, ours):
    one_hot = functional.one_hot(labels, z.shape[1]).to(z.dtype)
    y = (1 - ours.label_smoothing) * one_hot + ours.label_smoothing / z.shape[1]
    if ours.loss == "quadratic":
        a = torch.softmax(z, 1) if ours.output == "softmax" else torch.sigmoid(z)
        return ((a - y) ** 2).sum(1).mean() / 2
    if ours.output == "softmax":
        return functional.cross_entropy(z, labels, label_smoothing=ours.label_smoothing)
    return functional.binary_cross_entropy_with_logits(z, y, reduction="none").sum(1).mean()


def _trained_by_torch(ours, images, labels):
    """Weights and biases after as many steps on all examples, and the loss before each."""
    start = untrained(ours, images, labels)
    weights = [torch.tensor(w, requires_grad=True) for w in start.weights[1:]]
    biases = [torch.tensor(b, requires_grad=True) for b in start.biases[1:]]
    groups = [
        {"params": weights, "weight_decay": ours.l2 / len(labels)},
        {"params": biases, "weight_decay": 0},
    ]
    optimizer = OPTIMIZERS[ours.optimizer](groups, ours.learning_rate)
    x = torch.tensor(images.reshape(len(images), -1) / np.float32(255), dtype=torch.float32)
    y = torch.tensor(labels)
    losses = []
    for _ in range(ours.epochs):
        optimizer.zero_grad()
        a = x
        for layer, (w, b) in enumerate(zip(weights, biases, strict=True), start=1):
            z = functional.linear(a, w, b)
            a = ACTIVATIONS[ours.activation](z) if layer < len(weights) else z
        loss = _mean_loss(a, y, ours)
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
    return [w.detach().numpy() for w in weights], [b.detach().numpy() for b in biases], losses


@pytest.mark.parametrize("l2", [0, 2.0])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(
    ("output", "loss", "label_smoothing"),
    [(*pair, smoothing) for pair in OBJECTIVES for smoothing in (0, 0.1)],
)
def test_training_takes_the_steps_of_pytorch(
    output, loss, label_smoothing, optimizer, activation, l2
):
    """Up to the rounding of float32, after several steps on all examples at once."""
    images, labels = examples()
    ours = network(
        sizes=(36, 9, 8, 3),
        output=output,
        loss=loss,
        label_smoothing=label_smoothing,
        optimizer=optimizer,
        learning_rate=RATES[optimizer],
        activation=activation,
        l2=l2,
        batch_size=len(labels),
        epochs=STEPS,
    )
    weights, biases, losses = _trained_by_torch(ours, images, labels)
    start = untrained(ours, images, labels)
    ours.fit(images, labels)
    for layer in range(1, 4):
        assert np.abs(ours.weights[layer] - start.weights[layer]).max() > 1e-3
        np.testing.assert_allclose(ours.weights[layer], weights[layer - 1], rtol=1e-5, atol=3e-6)
        np.testing.assert_allclose(ours.biases[layer], biases[layer - 1], rtol=1e-5, atol=3e-6)
    np.testing.assert_allclose([epoch.loss for epoch in ours.history], losses, rtol=1e-5)
