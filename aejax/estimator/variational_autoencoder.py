"""Dense variational autoencoder as a scikit-learn transformer that scores and samples."""

from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Any

import jax
import numpy as np
from sklearn.utils.validation import check_is_fitted

from aejax.estimator.autoencoder_transformer import AutoencoderTransformer
from aejax.estimator.settings import as_python_scalar, as_random_state
from aejax.estimator.variational_model import compile_variational, variational_settings_of
from aejax.types import Array, Loss


class VariationalAutoencoder(AutoencoderTransformer):
    """Dense variational autoencoder with Gaussian posterior and standard normal prior.

    Minimises the mean over examples of −log p(x | z) + β KL(q(z | x) ‖ p(z)), or with
    n_samples > 1 minus the importance-weighted bound of log p(x). `transform` gives the means of
    q(z | x), `inverse_transform` the means of p(x | z), `score_samples` a lower bound of log p(x).
    float32 and float64 are preserved.

    Args:
        n_components: number of units of z.
        hidden_layer_sizes: numbers of units of the layers between x and z, or of a single layer;
            the decoder mirrors them.
        activation: activation of hidden layers: "sigmoid", "tanh", "relu", "gelu", "identity", or
            a function.
        loss: "gaussian", with one learned variance, "bernoulli" or "continuous-bernoulli" for
            examples in [0, 1], or an `aejax.Loss`, −log p(x | z) of each element.
        beta: weight β of the divergence.
        free_bits: nats per unit, averaged over a batch, below which the divergence costs nothing.
        n_samples: number of samples of the importance-weighted bound; 1 for the evidence bound.
        optimizer: "adam", "muon", or "sgd" with Nesterov momentum 0.9.
        learning_rate: constant learning rate.
        batch_size: number of examples per step, or all examples if fewer.
        max_iter: maximum number of epochs of `fit`.
        early_stopping: whether to hold out examples, stop when their loss stops decreasing, and
            use the parameters of the best epoch.
        validation_fraction: fraction of the examples held out.
        n_iter_no_change: number of epochs without a lower validation loss before stopping.
        warm_start: whether `fit` resumes from the previous fit.
        random_state: seed of parameters, order, noise and held-out examples.
        contamination: fraction of the examples in `fit` that are outliers, in (0, 0.5], for
            `decision_function` and `predict` (default: no threshold).

    Attributes:
        params_: parameters of `aejax.variational`, a nested dict of NumPy arrays.
        history_: records of `training.fit`, one per epoch.
        n_iter_: number of epochs trained.
        offset_: threshold of `score_samples`; only if contamination is not None.
        n_features_in_: number of features of X.
        feature_names_in_: names of the features, if X had names.

    Source: Kingma & Welling 2014; Burda, Grosse & Salakhutdinov 2016 (several samples).

    Example:
        >>> from sklearn.datasets import load_digits
        >>> from aejax.estimator import VariationalAutoencoder
        >>> x = load_digits().data[:200] / 16
        >>> model = VariationalAutoencoder(8, loss="bernoulli", max_iter=2, random_state=0).fit(x)
        >>> model.transform(x).shape, model.sample(5).shape
        ((200, 8), (5, 64))
    """

    def __init__(
        self,
        n_components: int = 2,
        *,
        hidden_layer_sizes: Sequence[int] | int = (128,),
        activation: str | Callable[[Array], Array] = "gelu",
        loss: str | Loss = "gaussian",
        beta: float = 1.0,
        free_bits: float = 0.0,
        n_samples: int = 1,
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
        self.loss = loss
        self.beta = beta
        self.free_bits = free_bits
        self.n_samples = n_samples
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

    _settings_of = staticmethod(variational_settings_of)
    _compile = staticmethod(compile_variational)

    def sample(self, n_samples: int = 1) -> np.ndarray:
        """New examples: means of p(x | z) for z from the standard normal prior.

        Args:
            n_samples: number of examples.

        Returns:
            Examples [n_samples, features], with the dtype of the parameters. With an integer as
            `random_state` every call gives the same.

        Raises:
            NotFittedError: if the estimator is not fitted.
            ValueError: if `n_samples` is not an integer of at least 1.
        """
        count = as_python_scalar(n_samples)
        if not isinstance(count, Integral) or isinstance(count, bool) or count < 1:
            raise ValueError(f"n_samples must be an integer of at least 1, got {n_samples!r}")
        check_is_fitted(self)
        dtype = jax.tree.leaves(self.params_)[0].dtype
        z = as_random_state(self.random_state).normal(size=(count, self._fitted.n_components))
        return self.inverse_transform(z.astype(dtype))
