"""Dense autoencoder as a scikit-learn transformer, trained by `training.fit`."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin

from aejax import training
from aejax.estimator.compiled_model import CompiledModel, compile_model
from aejax.estimator.input_checks import (
    DTYPES,
    check_codes,
    check_examples,
    check_training_examples,
)
from aejax.estimator.outlier_mixin import OutlierThresholdMixin, check_contamination
from aejax.estimator.row_blocks import map_rows
from aejax.estimator.settings import Schedule, as_random_state, schedule_of, settings_of
from aejax.training.records import Record
from aejax.types import Array, Batch, Corruption, Loss, Params, Penalty


class AutoencoderTransformer(
    OutlierThresholdMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Dense autoencoder as a scikit-learn transformer from examples to codes.

    Minimises the mean over examples of Σ_j ℓ(x̂_j, x_j), x̂ = decode(encode(x̃)), plus weighted
    penalties. float32 and float64 are preserved. Fitted arrays are NumPy arrays, so a fitted
    estimator can be pickled if its settings can, which holds for names and module-level functions.

    Args:
        n_components: number of code units.
        hidden_layer_sizes: numbers of units of the layers between input and code, or of a single
            layer; the decoder mirrors them.
        activation: activation of hidden layers: "sigmoid", "tanh", "relu", "gelu", "identity", or
            a function.
        code_activation: activation of the code (default: `activation`).
        tied: whether the decoder uses the transposed kernels of the encoder.
        loss: "squared", "bernoulli", "squared-logistic", "squared-tanh", or an `aejax.Loss`.
        corruption: "none", "masking", "gaussian", "salt-and-pepper", or a function
            (key, x) -> x_corrupted.
        corruption_level: rate of masking or of salt and pepper, or standard deviation of Gaussian
            noise.
        l2: weight of Σ W² over kernels.
        l1: weight of Σ |h| over the code.
        sparsity: weight of KL sparsity, for a sigmoid code.
        rho: target mean activation ρ of KL sparsity.
        contraction: weight of the contractive penalty ‖∂h/∂x‖².
        penalties: custom penalties, name -> (weight, penalty).
        optimizer: "adam", "muon", or "sgd" with Nesterov momentum 0.9.
        learning_rate: constant learning rate.
        batch_size: number of examples per step, or all examples if fewer.
        max_iter: maximum number of epochs of `fit`.
        early_stopping: whether to hold out examples, stop when their loss stops decreasing, and
            use the parameters of the best epoch, from which further training continues.
        validation_fraction: fraction of the examples held out.
        n_iter_no_change: number of epochs without a lower validation loss before stopping.
        warm_start: whether `fit` resumes from the previous fit.
        random_state: seed of parameters, order, noise and held-out examples.
        contamination: fraction of the examples in `fit` that are outliers, in (0, 0.5], for
            `decision_function` and `predict` (default: no threshold).

    Attributes:
        params_: parameters of `aejax.dense`, a nested dict of NumPy arrays.
        history_: records of `training.fit`, one per epoch.
        n_iter_: number of epochs trained.
        offset_: threshold of `score_samples`, the quantile `contamination` of the scores of the
            examples in `fit`; only if contamination is not None.
        n_features_in_: number of features of X.
        feature_names_in_: names of the features, if X had names.

    Source: Vincent et al. 2010 (denoising); Hinton & Salakhutdinov 2006 (deep).

    Example:
        >>> from sklearn.datasets import load_digits
        >>> from aejax.estimator import AutoencoderTransformer
        >>> x = load_digits().data[:200] / 16
        >>> model = AutoencoderTransformer(10, loss="bernoulli", max_iter=2, random_state=0).fit(x)
        >>> model.transform(x).shape
        (200, 10)
    """

    def __init__(
        self,
        n_components: int = 2,
        *,
        hidden_layer_sizes: Sequence[int] | int = (),
        activation: str | Callable[[Array], Array] = "sigmoid",
        code_activation: str | Callable[[Array], Array] | None = None,
        tied: bool = False,
        loss: str | Loss = "squared",
        corruption: str | Corruption = "none",
        corruption_level: float = 0.25,
        l2: float = 0.0,
        l1: float = 0.0,
        sparsity: float = 0.0,
        rho: float = 0.05,
        contraction: float = 0.0,
        penalties: Mapping[str, tuple[float, Penalty]] | None = None,
        optimizer: str = "adam",
        learning_rate: float = 1e-3,
        batch_size: int = 128,
        max_iter: int = 100,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        warm_start: bool = False,
        random_state: Any = None,
        contamination: float | None = None,
    ):
        self.n_components = n_components
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.code_activation = code_activation
        self.tied = tied
        self.loss = loss
        self.corruption = corruption
        self.corruption_level = corruption_level
        self.l2 = l2
        self.l1 = l1
        self.sparsity = sparsity
        self.rho = rho
        self.contraction = contraction
        self.penalties = penalties
        self.optimizer = optimizer
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.random_state = random_state
        self.contamination = contamination

    _settings_of = staticmethod(settings_of)
    _compile = staticmethod(compile_model)

    def fit(self, X: Any, y: Any = None) -> "AutoencoderTransformer":
        """Train on X for `max_iter` epochs, or until early stopping.

        Args:
            X: examples [examples, features], dense and finite.
            y: ignored.

        Returns:
            self.

        Raises:
            ValueError: if data or settings are invalid, or do not match the parameters of a warm
                start.
            TypeError: if X is sparse.
            NonFiniteLossError: if the loss becomes NaN or infinite.
        """
        schedule = schedule_of(self.get_params(deep=False))
        if self.contamination is not None:
            check_contamination(self.contamination)
        resumed = schedule.warm_start and self.__sklearn_is_fitted__()
        x = self._examples(X, resumed)
        random = as_random_state(self.random_state)
        seed = random.randint(np.iinfo(np.int32).max)
        held_out = _held_out(schedule, len(x))
        order = random.permutation(len(x)) if held_out else np.arange(len(x))
        validation = x[order[:held_out]] if held_out else None
        self._train(x[order[held_out:]], validation, seed, schedule, resumed)
        self._set_offset(x)
        return self

    def partial_fit(self, X: Any, y: Any = None) -> "AutoencoderTransformer":
        """Train for one more epoch on X.

        Args:
            X: examples [examples, features].
            y: ignored.

        Returns:
            self.

        Raises:
            ValueError: as `fit`, and if the features differ from those of earlier calls.
            TypeError: if X is sparse.
            NonFiniteLossError: if the loss becomes NaN or infinite.
        """
        resumed = self.__sklearn_is_fitted__()
        x = self._examples(X, resumed)
        seed = as_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        schedule = schedule_of(self.get_params(deep=False))._replace(max_iter=1)
        self._set_offset(None)  # of the earlier parameters
        return self._train(x, None, seed, schedule, resumed)

    def transform(self, X: Any) -> np.ndarray:
        """Codes h = encode(x).

        Args:
            X: examples [examples, features].

        Returns:
            Codes [examples, n_components], with the dtype of X.

        Raises:
            NotFittedError: if the estimator is not fitted.
            ValueError: if the features differ from those fitted.
        """
        return self._apply(lambda compiled: compiled.encode, check_examples(self, X))

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Reconstructions x̂ = g(decode(h)) of codes.

        Args:
            X: codes [examples, n_components].

        Returns:
            Reconstructions [examples, features], with the dtype of X.

        Raises:
            NotFittedError: if the estimator is not fitted.
            ValueError: if the codes have another width.
        """
        return self._apply(lambda compiled: compiled.decode, check_codes(self, X))

    def score(self, X: Any, y: Any = None) -> float:
        """Negative mean reconstruction loss, without noise; higher is better.

        Args:
            X: examples [examples, features].
            y: ignored.

        Returns:
            −mean_i Σ_j ℓ(x̂_ij, x_ij).

        Raises:
            NotFittedError: if the estimator is not fitted.
            ValueError: if the features differ from those fitted.
        """
        return float(np.mean(self.score_samples(X), dtype=np.float64))

    def score_samples(self, X: Any) -> np.ndarray:
        """Negative reconstruction loss of each example, without noise; higher is more normal.

        Args:
            X: examples [examples, features].

        Returns:
            −Σ_j ℓ(x̂_ij, x_ij), [examples], with the dtype of X.

        Raises:
            NotFittedError: if the estimator is not fitted.
            ValueError: if the features differ from those fitted.
        """
        return -self._apply(lambda compiled: compiled.losses, check_examples(self, X))

    def _examples(self, x: Any, resumed: bool) -> np.ndarray:
        """Validate training examples, in the dtype of the parameters if training is resumed."""
        dtype = jax.tree.leaves(self.params_)[0].dtype if resumed else DTYPES
        return check_training_examples(self, x, resumed=resumed, dtype=dtype)

    def _train(
        self,
        x: np.ndarray,
        validation: np.ndarray | None,
        seed: int,
        schedule: Schedule,
        resumed: bool,
    ) -> "AutoencoderTransformer":
        settings, best = self._settings_of(self.get_params(deep=False)), _Best()
        if resumed:
            _check_same(settings, self._fitted)
        with jax.enable_x64(x.dtype == np.float64):
            compiled = self._compile(settings, x.shape[1], x.dtype.name)
            key = jax.random.key(seed)
            state = _to_jax(self._state) if resumed else compiled.init(key)
            state, history = training.fit(
                compiled.objective,
                compiled.optimizer,
                Batch(jax.numpy.asarray(x)),
                epochs=int(state.epoch) + schedule.max_iter,
                state=state,
                batch_size=min(schedule.batch_size, len(x)),
                validation=None if validation is None else Batch(jax.numpy.asarray(validation)),
                patience=None if validation is None else schedule.n_iter_no_change,
                callbacks=[] if validation is None else [best],
            )
            self._state = _to_numpy(state) if validation is None else best.with_counters_of(state)
        self._fitted, self._features = settings, x.shape[1]
        self.history_ = [*(self.history_ if resumed else []), *history]
        self.n_iter_ = int(self._state.epoch)
        self.params_ = self._state.params
        return self

    def _apply(
        self, choose: Callable[[CompiledModel], Callable[[Params, Array], Array]], x: np.ndarray
    ) -> np.ndarray:
        """Apply a function of the compiled model to rows, in the dtype of the rows."""
        with jax.enable_x64(x.dtype == np.float64):
            function = choose(self._compile(self._fitted, self._features, x.dtype.name))
            params = jax.tree.map(lambda leaf: leaf.astype(x.dtype), self.params_)
            return map_rows(lambda rows: function(params, jax.numpy.asarray(rows)), x)

    @property
    def _n_features_out(self) -> int:
        return self._fitted.n_components

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "params_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _held_out(schedule: Schedule, examples: int) -> int:
    """Number of examples held out for early stopping; 0 without it."""
    if not schedule.early_stopping:
        return 0
    fraction = schedule.validation_fraction
    held_out = round(fraction * examples) if 0 <= fraction <= 1 else 0
    if not 0 < held_out < examples:
        raise ValueError(
            f"validation_fraction {fraction} of {examples} examples holds out {held_out}; "
            "early stopping needs one or more held out and one or more to train on"
        )
    return held_out


class _Best:
    """The state of the epoch with the lowest validation loss; a callback of `training.fit`."""

    def __init__(self):
        self.loss, self.state = np.inf, None

    def __call__(self, state: training.TrainState, record: Record) -> None:
        if record["validation"]["loss"] < self.loss:
            self.loss, self.state = record["validation"]["loss"], _to_numpy(state)

    def with_counters_of(self, last: training.TrainState) -> training.TrainState:
        """The best state, with the counters of the last, because the history has all epochs."""
        last = _to_numpy(last)
        best = last if self.state is None else self.state
        return best._replace(step=last.step, epoch=last.epoch)


def _to_numpy(state: training.TrainState) -> training.TrainState:
    """Convert a state to NumPy arrays, including its key, so that it can be pickled."""
    return jax.tree.map(np.array, state._replace(key=jax.random.key_data(state.key)))


def _to_jax(state: training.TrainState) -> training.TrainState:
    return jax.device_put(state)._replace(key=jax.random.wrap_key_data(state.key))


def _check_same(settings: Any, fitted: Any) -> None:
    """Check that the settings of a warm start match those of the fitted parameters."""
    shapes = ("n_components", "hidden_layer_sizes", "tied", "optimizer")
    for name in (name for name in shapes if name in settings._fields):
        if getattr(settings, name) != getattr(fitted, name):
            raise ValueError(
                f"{name} is {getattr(settings, name)!r}, but the parameters of the warm start were "
                f"fitted with {getattr(fitted, name)!r}; restore it, or fit with warm_start=False"
            )
