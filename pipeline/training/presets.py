"""The presets: hyperparameters chosen on validation images; CONTRIBUTING.md has the figures."""

from typing import Any, Literal

from nn import Distortion, NeuralNetwork, Style

Preset = Literal["quick", "standard", "best", "record"]

_COMMON: dict[str, Any] = {
    "activation": "relu",
    "initializer": "he",
    "optimizer": "momentum",
    "learning_rate": 0.1,
    "schedule": "cosine",
    "warmup_epochs": 1,
    "batch_size": 256,
    "style": Style(),
}

PRESETS: dict[str, dict[str, Any]] = {
    "quick": {
        **_COMMON,
        "sizes": (784, 256, 128, 10),
        "views": ("deslanted",),
        "learning_rate": 0.2,
        "epochs": 18,
        "skipping": 0.7,
        # In few epochs a network learns more from less distorted images.
        "distortion": Distortion(rotation=10, scaling=0.1, shear=0.1, alpha=24),
    },
    "standard": {
        **_COMMON,
        "sizes": (784, 1024, 512, 10),
        "views": ("plain", "deslanted"),
        "learning_rate": 0.2,
        "epochs": 56,
        "skipping": 0.7,
        "distortion": Distortion(fading=0.6),
    },
    "best": {
        **_COMMON,
        "sizes": (784, 1536, 1024, 512, 10),
        "learning_rate": 0.2,
        "epochs": 500,
        "skipping": 0.7,
        # In many epochs a network memorizes even distorted images.
        "dropout": 0.15,
        "l2": 0.5,
        "distortion": Distortion(),
    },
    "record": {
        **_COMMON,
        "sizes": (784, 2048, 1536, 512, 10),
        "epochs": 350,
        "dropout": 0.15,
        "l2": 0.5,
        "distortion": Distortion(),
    },
}


def network_params(preset: str, seed: int) -> dict[str, Any]:
    """Return the parameters of the network that a preset trains, as JSON-compatible values."""
    return NeuralNetwork(**PRESETS[preset], seed=seed).get_params()
