"""A dense autoencoder with scikit-learn's manners, trained by `training.fit`."""

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
from aejax.estimator.row_blocks import map_rows
from aejax.estimator.settings import Schedule, Settings, as_random_state, schedule_of, settings_of
from aejax.training.records import Record
from aejax.types import Array, Batch, Corruption, Loss, Params, Penalty


class AutoencoderTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """A dense autoencoder as a scikit-learn transformer: codes out, reconstructions back.

    Minimises the mean over examples of Σ_j ℓ(x̂_j, x_j), x̂ = decode(encode(x̃)), plus weighted
    penalties. float64 is kept in float64, float32 in float32. Fitted arrays are NumPy's, so that a
    fitted estimator pickles wherever its settings do; names do, and so do functions of a module.

    Args:
        n_components: units of the code.
        hidden_layer_sizes: units of the layers between input and code, or of the one layer; the
            decoder mirrors them.
        activation: of hidden layers: sigmoid, tanh, relu, gelu, identity, or a function.
        code_activation: of the code; `activation` unless given.
        tied: the decoder uses the encoder's kernels, transposed.
        loss: squared, bernoulli, squared-logistic, squared-tanh, or an `aejax.Loss`.
        corruption: none, masking, gaussian, salt-and-pepper, or a function (key, x) -> x_corrupted.
        corruption_level: rate of masking and salt and pepper, or standard deviation of the noise.
        l2: weight of Σ W² over kernels.
        l1: weight of Σ |h| over the code.
        sparsity: weight of KL sparsity, for a sigmoid code.
        rho: the mean activation ρ that KL sparsity asks for.
        contraction: weight of the contractive penalty ‖∂h/∂x‖².
        penalties: further ones, name -> (weight, penalty).
        optimizer: adam, muon, or sgd with Nesterov momentum 0.9.
        learning_rate: of every step.
        batch_size: examples a step; all of them where there are fewer.
        max_iter: epochs that `fit` trains for at most.
        early_stopping: hold examples out, stop once their loss no longer falls, keep the best
            epoch's parameters; further training continues from these.
        validation_fraction: share of the examples held out.
        n_iter_no_change: epochs without a lower validation loss to wait for.
        warm_start: `fit` goes on from where the last one stopped.
        random_state: of parameters, order, noise and the examples held out.

    Attributes:
        params_: parameters of `aejax.dense`, a nested dict of NumPy arrays.
        history_: `training.fit`'s records, one an epoch.
        n_iter_: epochs trained.
        n_features_in_: features of X.
        feature_names_in_: their names, where X had names.

    Source: Vincent et al. 2010 (denoising); Hinton & Salakhutdinov 2006 (deep).
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

    def fit(self, X: Any, y: Any = None) -> "AutoencoderTransformer":
        """Train on X for `max_iter` epochs, or until early stopping.

        Args:
            X: [examples, features], dense, finite.
            y: ignored.

        Returns:
            self.

        Raises:
            ValueError: for data or settings that cannot be trained; for a warm start whose
                settings or features are not those of the parameters.
            TypeError: for sparse X.
            NonFiniteLossError: when the loss stops being finite.
        """
        schedule = schedule_of(self.get_params(deep=False))
        resumed = schedule.warm_start and self.__sklearn_is_fitted__()
        x = self._examples(X, resumed)
        random = as_random_state(self.random_state)
        seed = random.randint(np.iinfo(np.int32).max)
        held_out = _held_out(schedule, len(x))
        order = random.permutation(len(x)) if held_out else np.arange(len(x))
        validation = x[order[:held_out]] if held_out else None
        return self._train(x[order[held_out:]], validation, seed, schedule, resumed)

    def partial_fit(self, X: Any, y: Any = None) -> "AutoencoderTransformer":
        """Train one epoch more on X, from the parameters of the last call.

        Args:
            X: [examples, features]; any number of examples.
            y: ignored.

        Returns:
            self.

        Raises:
            ValueError: as `fit`, and for other features than before.
            TypeError: for sparse X.
            NonFiniteLossError: when the loss stops being finite.
        """
        resumed = self.__sklearn_is_fitted__()
        x = self._examples(X, resumed)
        seed = as_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        schedule = schedule_of(self.get_params(deep=False))._replace(max_iter=1)
        return self._train(x, None, seed, schedule, resumed)

    def transform(self, X: Any) -> np.ndarray:
        """Codes h = encode(x).

        Args:
            X: [examples, features].

        Returns:
            [examples, n_components], of X's dtype.

        Raises:
            NotFittedError: before `fit`.
            ValueError: for other features than those fitted.
        """
        return self._apply(lambda compiled: compiled.encode, check_examples(self, X))

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Reconstructions x̂ = g(decode(h)) of codes.

        Args:
            X: codes [examples, n_components].

        Returns:
            [examples, features], of X's dtype.

        Raises:
            NotFittedError: before `fit`.
            ValueError: for codes of another width.
        """
        return self._apply(lambda compiled: compiled.decode, check_codes(self, X))

    def score(self, X: Any, y: Any = None) -> float:
        """Minus the mean over examples of the reconstruction loss, without noise: higher is better.

        Args:
            X: [examples, features].
            y: ignored.

        Returns:
            −mean_i Σ_j ℓ(x̂_ij, x_ij).

        Raises:
            NotFittedError: before `fit`.
            ValueError: for other features than those fitted.
        """
        losses = self._apply(lambda compiled: compiled.losses, check_examples(self, X))
        return -float(np.mean(losses, dtype=np.float64))

    def _examples(self, x: Any, resumed: bool) -> np.ndarray:
        """Those of a training that goes on come in the dtype of its parameters."""
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
        settings, best = settings_of(self.get_params(deep=False)), _Best()
        if resumed:
            _check_same(settings, self._fitted)
        with jax.enable_x64(x.dtype == np.float64):
            compiled = compile_model(settings, x.shape[1], x.dtype.name)
            key = jax.random.key(seed)
            state = _revived(self._state) if resumed else compiled.init(key)
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
            self._state = _stored(state) if validation is None else best.kept(state)
        self._fitted, self._features = settings, x.shape[1]
        self.history_ = [*(self.history_ if resumed else []), *history]
        self.n_iter_ = int(self._state.epoch)
        self.params_ = self._state.params
        return self

    def _apply(
        self, choose: Callable[[CompiledModel], Callable[[Params, Array], Array]], x: np.ndarray
    ) -> np.ndarray:
        """One of the program's functions of parameters and rows, in the precision of the rows."""
        with jax.enable_x64(x.dtype == np.float64):
            function = choose(compile_model(self._fitted, self._features, x.dtype.name))
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
    """How many examples early stopping holds out; 0 without it."""
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
            self.loss, self.state = record["validation"]["loss"], _stored(state)

    def kept(self, last: training.TrainState) -> training.TrainState:
        """The best state, but with the counters of the last: the history has all epochs."""
        last = _stored(last)
        best = last if self.state is None else self.state
        return best._replace(step=last.step, epoch=last.epoch)


def _stored(state: training.TrainState) -> training.TrainState:
    """The state in NumPy arrays, its typed key as plain numbers, so that it can be pickled."""
    return jax.tree.map(np.array, state._replace(key=jax.random.key_data(state.key)))


def _revived(state: training.TrainState) -> training.TrainState:
    return jax.device_put(state)._replace(key=jax.random.wrap_key_data(state.key))


def _check_same(settings: Settings, fitted: Settings) -> None:
    """Parameters and moments of one model cannot go on as those of another."""
    shapes = ("n_components", "hidden_layer_sizes", "tied", "optimizer")
    for name in shapes:
        if getattr(settings, name) != getattr(fitted, name):
            raise ValueError(
                f"{name} is {getattr(settings, name)!r}, but the parameters to go on from were "
                f"fitted with {getattr(fitted, name)!r}; restore it, or fit with warm_start=False"
            )
