"""The presets: hyperparameters chosen on validation images; CONTRIBUTING.md has the figures."""

from typing import Any, Literal

from nn import Distortion, NeuralNetwork, Style

Preset = Literal["quick", "standard", "best", "record"]

_COMMON: dict[str, Any] = {
    "views": ("deslanted_edges",),
    "activation": "relu",
    "initializer": "he",
    "optimizer": "momentum",
    "learning_rate": 0.2,
    "schedule": "cosine",
    "warmup_epochs": 1,
    "batch_size": 256,
    "skipping": 0.7,
    "style": Style(),
}

_STANDARD: dict[str, Any] = {
    **_COMMON,
    "sizes": (784, 1024, 512, 10),
    "epochs": 64,
    # In many epochs a network memorizes even distorted images.
    "dropout": 0.2,
    "distortion": Distortion(fading=0.3),
}

_BEST: dict[str, Any] = {
    **_STANDARD,
    # Some digits are read better with their slant, and some without.
    "views": ("edges", "deslanted_edges"),
    "epochs": 150,
    "dropout": 0.3,
    "l2": 0.5,
}

PRESETS: dict[str, dict[str, Any]] = {
    "quick": {
        **_COMMON,
        "sizes": (784, 256, 128, 10),
        "epochs": 9,
        # In few epochs a network learns more from less distorted images.
        "distortion": Distortion(rotation=10, scaling=0.1, shear=0.1, alpha=24),
    },
    "standard": _STANDARD,
    "best": _BEST,
    "record": {**_BEST, "views": ("edges", "deslanted_edges") * 2},
}


def network_params(preset: str, seed: int) -> dict[str, Any]:
    """Return the parameters of the network that a preset trains, as JSON-compatible values."""
    return NeuralNetwork(**PRESETS[preset], seed=seed).get_params()
