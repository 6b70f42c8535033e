"""The presets: hyperparameters chosen on validation images; CONTRIBUTING.md has the figures."""

from typing import Any, Literal

from nn import Distortion, NeuralNetwork, Style

Preset = Literal["quick", "standard", "best", "record"]

_COMMON: dict[str, Any] = {
    "views": ("deslanted",),
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

_BEST: dict[str, Any] = {
    **_COMMON,
    "sizes": (784, 1536, 1024, 512, 10),
    "epochs": 400,
    # In many epochs a network memorizes even distorted images.
    "dropout": 0.15,
    "l2": 0.5,
    "distortion": Distortion(),
}

PRESETS: dict[str, dict[str, Any]] = {
    "quick": {
        **_COMMON,
        "sizes": (784, 256, 128, 10),
        "epochs": 15,
        # In few epochs a network learns more from less distorted images.
        "distortion": Distortion(rotation=10, scaling=0.1, shear=0.1, alpha=24),
    },
    "standard": {
        **_COMMON,
        "sizes": (784, 1024, 512, 10),
        "epochs": 94,
        "distortion": Distortion(fading=0.6),
    },
    "best": _BEST,
    "record": {**_BEST, "views": ("deslanted",) * 3},
}


def network_params(preset: str, seed: int) -> dict[str, Any]:
    """Return the parameters of the network that a preset trains, as JSON-compatible values."""
    return NeuralNetwork(**PRESETS[preset], seed=seed).get_params()
