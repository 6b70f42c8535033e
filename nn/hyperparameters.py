"""The parameters that define a network and its training."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from nn import validation
from nn.activations import ACTIVATIONS
from nn.distortion import Distortion
from nn.edges import CELL
from nn.errors import InvalidParameterError
from nn.initializers import INITIALIZERS
from nn.objectives import LOSSES, OUTPUTS
from nn.optimizers import OPTIMIZERS
from nn.schedules import SCHEDULES
from nn.style import Style
from nn.views import OF_EDGES, PLAIN, VIEWS


@dataclass(eq=False, repr=False, kw_only=True)
class Hyperparameters:
    """The parameters of a network and of its training; `NeuralNetwork` documents them.

    They may be assigned, as in scikit-learn. The constructor and `validated` check them.

    Raises
    ------
    InvalidParameterError
        If a parameter is outside its domain.
    """

    sizes: Sequence[int] = field(default=(784, 30, 10), kw_only=False)
    views: Sequence[str] = (PLAIN,)
    activation: str = "sigmoid"
    output: str = "softmax"
    loss: str = "cross_entropy"
    initializer: str = "scaled"
    optimizer: str = "sgd"
    learning_rate: float = 0.5
    schedule: str = "constant"
    warmup_epochs: float = 0.0
    batch_size: int = 10
    epochs: int = 30
    l2: float = 0.0
    dropout: float = 0.0
    label_smoothing: float = 0.0
    skipping: float = 0.0
    distortion: Distortion | None = None
    style: Style | None = None
    seed: int | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        self.sizes: tuple[int, ...] = validation.layer_sizes(self.sizes)
        self.views: tuple[str, ...] = _views(self.views, self.sizes[0])
        validation.choice("activation", self.activation, ACTIVATIONS)
        validation.choice("output", self.output, OUTPUTS)
        validation.choice("loss", self.loss, LOSSES)
        validation.choice("initializer", self.initializer, INITIALIZERS)
        validation.choice("optimizer", self.optimizer, OPTIMIZERS)
        self.learning_rate = validation.positive("learning_rate", self.learning_rate)
        validation.choice("schedule", self.schedule, SCHEDULES)
        self.warmup_epochs = validation.nonnegative("warmup_epochs", self.warmup_epochs)
        self.batch_size = validation.integer("batch_size", self.batch_size, minimum=1)
        self.epochs = validation.integer("epochs", self.epochs, minimum=1)
        self.l2 = validation.nonnegative("l2", self.l2)
        self.dropout = validation.below("dropout", self.dropout, 1)
        self.label_smoothing = validation.below("label_smoothing", self.label_smoothing, 1)
        self.skipping = validation.below("skipping", self.skipping, 1)
        if not isinstance(self.distortion, Distortion | None):
            raise InvalidParameterError("distortion", "a Distortion or None", self.distortion)
        if not isinstance(self.style, Style | None):
            raise InvalidParameterError("style", "a Style or None", self.style)
        if self.seed is not None:
            self.seed = validation.integer("seed", self.seed, minimum=0)
        if self.threads is not None:
            self.threads = validation.integer("threads", self.threads, minimum=1)

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Self:
        """Return an instance with the parameters that `get_params` returned."""
        params = {**params}
        if params.get("distortion") is not None:
            params["distortion"] = Distortion(**params["distortion"])
        if params.get("style") is not None:
            params["style"] = Style(**params["style"])
        return cls(**params)

    def get_params(self) -> dict[str, Any]:
        """Return the parameters of the constructor by name, as values that JSON can hold."""
        params = {field.name: getattr(self, field.name) for field in fields(Hyperparameters)}
        params["sizes"] = list(self.sizes)
        params["views"] = list(self.views)
        if self.distortion is not None:
            params["distortion"] = asdict(self.distortion)
        if self.style is not None:
            params["style"] = asdict(self.style)
        return params

    def validated(self) -> "Hyperparameters":
        """Return a copy of the hyperparameters alone, each checked.

        Raises
        ------
        InvalidParameterError
            If a parameter is outside its domain, because it was assigned.
        """
        return Hyperparameters(
            **{field.name: getattr(self, field.name) for field in fields(Hyperparameters)}
        )


def _views(views: Sequence[str], pixels: int) -> tuple[str, ...]:
    """Return the views of a committee, checked."""
    is_list = isinstance(views, list | tuple)
    if not is_list or not views or any(view not in VIEWS for view in views):
        raise InvalidParameterError("views", f"a list of {', '.join(VIEWS)}", views)
    side = math.isqrt(pixels)
    if set(views) != {PLAIN} and side**2 != pixels:
        raise InvalidParameterError("views", f"{PLAIN}, as the images are not square", views)
    if side % CELL[0] and not set(views).isdisjoint(OF_EDGES):
        expected = f"no edges, as {CELL[0]} does not divide the side of the images, {side}"
        raise InvalidParameterError("views", expected, views)
    return tuple(views)
