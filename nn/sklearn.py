"""The network as a scikit-learn estimator, for pipelines, grid searches and cross-validation.

Needs the extra ``sklearn``; nothing else in `nn` imports this module.
"""
# ruff: noqa: N803 - scikit-learn's users know data as X

from collections.abc import Sequence
from numbers import Integral
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nn import validation
from nn.calibration import probabilities
from nn.distortion import Distortion
from nn.errors import InvalidDataError, InvalidParameterError
from nn.fitting import Dataset
from nn.network import NeuralNetwork
from nn.style import Style
from nn.views import PLAIN

try:
    from sklearn.base import BaseEstimator, ClassifierMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.multiclass import check_classification_targets
    from sklearn.utils.validation import check_is_fitted, validate_data
except ImportError as error:
    raise ImportError(
        "nn.sklearn needs scikit-learn 1.6 or later, which the extra brings: "
        'pip install ".[sklearn]" in a clone of digits'
    ) from error

# Types of features. Any other type is converted to the first.
_TYPES = [np.float32, np.uint8]

# Non-negative features, as many as a small image has pixels, of which the largest is above this:
# these are unscaled pixels. Percentages are not.
_MIN_PIXELS = 16
_BRIGHT = 100


class NeuralNetworkClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """A `NeuralNetwork` that takes its input size, its output size and its labels from the data.

    Features may be any finite numbers, and are converted to float32. Like every network this one
    learns best from features of similar scale, so put a scaler before it in a pipeline. Only
    uint8 features are pixels, as everywhere in `nn`: they are divided by 255 batch by batch,
    which saves the memory of floats. If `fit` was given uint8, so must be `predict`, and the
    reverse. Pixels from 0 to 255 of any other type, as ``fetch_openml`` returns them, are refused:
    a network learns nothing from numbers of that size.

    The defaults are for some ten thousand images like MNIST's. Those of `NeuralNetwork` are the
    book's.

    Parameters
    ----------
    hidden_layer_sizes : sequence of int
        Neurons in each hidden layer. Without any, the network is a linear classifier.
    views : sequence of {"plain", "deslanted", "edges", "deslanted_edges"}
        What each member of a committee sees, as `NeuralNetwork` says. For all but the first,
        features must be the pixels of square images, as uint8 or in [0, 1].
    activation : {"sigmoid", "tanh", "relu"}
        Activation function of the hidden layers.
    output : {"softmax", "sigmoid"}
        Activation function of the output layer.
    loss : {"cross_entropy", "quadratic"}
    initializer : {"scaled", "standard", "he"}
    optimizer : {"sgd", "momentum", "nesterov", "adam"}
    learning_rate : float
        Peak of the schedule.
    schedule : {"constant", "cosine"}
    warmup_epochs : float
        Number of epochs in which the learning rate first rises linearly from 0.
    batch_size : int
    epochs : int
    l2 : float
        ``C + (l2 / 2n) * sum(w**2)`` is minimised, with n the number of samples.
    dropout : float
        Fraction of the hidden neurons that each step leaves out, in [0, 1).
    label_smoothing : float
        Fraction of every target that is spread evenly over all classes, in [0, 1).
    skipping : float
        Fraction of the learnt samples that an epoch leaves out, in [0, 1); `nn.selection` says
        which are learnt. ``loss_curve_`` has the loss of the others.
    distortion : Distortion, optional
        Deforms every image anew for every epoch. The features must be the pixels of square
        images, row by row, with 0 for the background.
    style : Style, optional
        Draws strokes of other people's hands on digits, anew for every epoch. As for `distortion`,
        features are pixels, and the sorted labels must be the digits from 0 on.
    random_state : int, RandomState instance or None
        An int is the seed of the network; otherwise the seed is drawn from it.
    threads : int, optional
        Maximum number of cores for a training; None is all that this process may use. If
        scikit-learn itself trains several networks at once (``n_jobs``), 1 is best.

    Attributes
    ----------
    classes_ : ndarray, shape (n_classes,)
        The labels, sorted.
    n_features_in_ : int
    feature_names_in_ : ndarray of str, shape (n_features,)
        Only if the features given to `fit` have names, all of them strings.
    n_iter_ : int
        Number of epochs.
    loss_curve_ : list of float
        The mean loss of each epoch; ``network_.history`` has the full records.
    network_ : NeuralNetwork
        The fitted network. Its label i stands for ``classes_[i]``. Its own methods require
        images: uint8, or floats in [0, 1].

    Raises
    ------
    InvalidParameterError
        By `fit`, if a parameter is outside its domain.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import MinMaxScaler
    >>> from nn.sklearn import NeuralNetworkClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> classifier = make_pipeline(MinMaxScaler(), NeuralNetworkClassifier(epochs=10))
    >>> classifier.fit(X[:1500], y[:1500]).score(X[1500:], y[1500:]) > 0.85
    True
    """

    def __init__(
        self,
        hidden_layer_sizes: Sequence[int] = (128,),
        *,
        views: Sequence[str] = (PLAIN,),
        activation: str = "relu",
        output: str = "softmax",
        loss: str = "cross_entropy",
        initializer: str = "he",
        optimizer: str = "momentum",
        learning_rate: float = 0.05,
        schedule: str = "cosine",
        warmup_epochs: float = 0.0,
        batch_size: int = 64,
        epochs: int = 20,
        l2: float = 0.0,
        dropout: float = 0.0,
        label_smoothing: float = 0.0,
        skipping: float = 0.0,
        distortion: Distortion | None = None,
        style: Style | None = None,
        random_state: int | np.random.RandomState | None = None,
        threads: int | None = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.views = views
        self.activation = activation
        self.output = output
        self.loss = loss
        self.initializer = initializer
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.schedule = schedule
        self.warmup_epochs = warmup_epochs
        self.batch_size = batch_size
        self.epochs = epochs
        self.l2 = l2
        self.dropout = dropout
        self.label_smoothing = label_smoothing
        self.skipping = skipping
        self.distortion = distortion
        self.style = style
        self.random_state = random_state
        self.threads = threads

    def fit(self, X: ArrayLike, y: ArrayLike) -> Self:
        """Train from scratch; the result of an earlier `fit` is replaced.

        Parameters
        ----------
        X : array or data frame, shape (n_samples, n_features)
        y : array, shape (n_samples,)
            Labels: numbers, strings, or anything that can be sorted.

        Raises
        ------
        ValueError
            If X or y has a wrong shape, type or range, X has unscaled pixels, or a parameter is
            outside its domain.
        DivergedError
            If the loss is no longer a finite number.
        """
        rows, y = validate_data(self, X, y, dtype=_TYPES, order="C")
        _require_scaled(rows)
        if set(self.views) != {PLAIN} and rows.dtype != np.uint8:
            validation.require_fractions("X", rows)
        check_classification_targets(y)
        classes, labels = np.unique(y, return_inverse=True)
        network = self._network(len(classes))
        image = validation.image_shape(rows, distorted=False)
        changed = (self.distortion, self.style) != (None, None)
        if changed and image[0] != image[1]:
            expected = "a square number of features, for distortion and style"
            raise InvalidDataError("X", expected, str(self.n_features_in_))
        self.network_ = network._fit(network.validated(), Dataset(rows, labels), None, image)
        self.classes_ = classes
        self.loss_curve_ = [epoch.loss for epoch in network.history]
        self.n_iter_ = len(self.loss_curve_)
        self._kind = _kind(rows)
        return self

    def predict(self, X: ArrayLike) -> np.ndarray:
        """Return the most probable label of each sample, shape ``(n_samples,)``."""
        z = self._logits(X)
        labels: np.ndarray = self.classes_[z.argmax(axis=0)]
        return labels

    def predict_proba(self, X: ArrayLike) -> NDArray[np.float64]:
        """Return the probability of each of ``classes_``, shape ``(n_samples, n_classes)``."""
        z = self._logits(X)
        return np.ascontiguousarray(probabilities(z, self.network_.output, 1.0).T)

    def _network(self, classes: int) -> NeuralNetwork:
        """Return the network to fit."""
        params = self.get_params(deep=False)
        hidden = params.pop("hidden_layer_sizes")
        try:
            sizes = validation.layer_sizes((self.n_features_in_, *hidden, classes))
        except (TypeError, InvalidParameterError):
            raise InvalidParameterError(
                "hidden_layer_sizes", "a sequence of integers >= 1", hidden
            ) from None
        seed = params.pop("random_state")
        generator = check_random_state(seed)
        if not isinstance(seed, Integral):
            seed = generator.randint(np.iinfo(np.int32).max)
        return NeuralNetwork(sizes, seed=seed, **params)

    def _logits(self, X: ArrayLike) -> np.ndarray:
        """Return the logits of each sample, shape ``(n_classes, n_samples)``.

        Computed in float64. BLAS rounds a product differently for matrices of different shapes,
        and scikit-learn requires that the probabilities of a sample differ by less than 1e-7
        whichever other samples it comes with, which is about one rounding error in float32.
        """
        check_is_fitted(self, "network_")
        rows = validate_data(self, X, dtype=_TYPES, order="C", reset=False)
        if _kind(rows) != self._kind:
            raise InvalidDataError("X", f"{self._kind}, as in fit", _kind(rows))
        return self.network_._require_model().logits(rows, dtype=np.float64)


def _require_scaled(rows: np.ndarray) -> None:
    """Refuse what looks like pixels from 0 to 255 in another type than uint8."""
    if rows.dtype == np.uint8 or rows.shape[1] < _MIN_PIXELS:
        return
    low, high = float(rows.min()), float(rows.max())
    if low >= 0 and _BRIGHT < high <= 255:
        raise InvalidDataError(
            "X",
            "scaled features: X / 255 or X.astype('uint8') for pixels, or a scaler before the "
            "classifier",
            f"numbers from {low:g} to {high:g}",
        )


def _kind(rows: np.ndarray) -> str:
    return "uint8 pixels" if rows.dtype == np.uint8 else "numbers other than uint8"
