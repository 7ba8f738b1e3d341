"""The linear autoencoder with scikit-learn's manners: a drop-in for `sklearn.decomposition.PCA`."""

import warnings
from numbers import Integral, Real
from typing import Any

import jax
import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from aejax.estimator.input_checks import (
    DTYPES,
    check_codes,
    check_examples,
    check_training_examples,
)
from aejax.estimator.settings import as_bool, as_python_scalar, as_random_state
from aejax.models import pca_params
from aejax.theory.analysis.covariance import analyse_covariance
from aejax.theory.analysis.moments import Moments, moments
from aejax.theory.analysis.pca import PCA, pca_of_moments
from aejax.theory.learning.streamed_moments import merge_moments
from aejax.theory.solvers.linear_solvers import train_linear
from aejax.types import Params

SOLVERS = ("closed-form", "covariance", "gradient")


class LinearAutoencoder(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """The linear autoencoder h = x W_e + b, x̂ = h W_d + c, whose optimum is PCA.

    Attributes, signs and methods are those of `sklearn.decomposition.PCA`, so that one may stand
    for the other. Float32 examples give float32 attributes and codes; sums run in float64, but for
    the covariance solver's.
    `partial_fit` merges exact moments: in any batches, the fit is that of all examples at once.

    Args:
        n_components: code units k; a share in (0, 1) takes as many as explain more than that share
            of the variance; None takes all.
        whiten: give every code unit variance one.
        solver: "closed-form" takes the singular value decomposition; "covariance" the eigenvectors
            of the covariance or Gram matrix, in X's dtype: faster for many examples or many
            features, with half the digits;
            "gradient" trains the autoencoder by L-BFGS from a random start and reads the components
            off its reconstructions.
        random_state: of the gradient solver's start.

    Attributes:
        components_: V_kᵀ [k, features], one unit principal direction a row; its entry of largest
            magnitude is positive.
        explained_variance_: [k], of the examples along each, with m − 1 in the denominator.
        explained_variance_ratio_: [k], its share of the whole.
        singular_values_: [k], of the centred examples.
        mean_: x̄ [features].
        noise_variance_: the mean variance along the directions left out; 0 where none are.
        n_components_: k.
        n_samples_: examples seen.
        n_features_in_: features of X.
        feature_names_in_: their names, where X had names.
        params_: parameters of `aejax.linear`, a nested dict of NumPy arrays.

    Source: Bourlard & Kamp 1988; Baldi & Hornik 1989; Tipping & Bishop 1999 (the likelihood).
    """

    def __init__(
        self,
        n_components: int | float | None = None,
        *,
        whiten: bool = False,
        solver: str = "closed-form",
        random_state: Any = None,
    ):
        self.n_components = n_components
        self.whiten = whiten
        self.solver = solver
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> "LinearAutoencoder":
        """Find the optimum for X.

        Args:
            X: [examples, features], dense, finite, two examples or more.
            y: ignored.

        Returns:
            self.

        Raises:
            ValueError: for examples or settings that cannot be used.
            TypeError: for sparse X.

        Warns:
            ConvergenceWarning: where the gradient solver stops before it arrives.
        """
        self._check_settings()
        x = check_training_examples(self, X, resumed=False, at_least=2)
        most = min(x.shape)
        if self.solver == "covariance":
            return self._keep(*analyse_covariance(x), x.dtype, most)
        return self._analyse(moments(x), x.dtype, most)

    def partial_fit(self, X: Any, y: Any = None) -> "LinearAutoencoder":
        """Find the optimum for all examples of this call and those before.

        While there are fewer examples than `n_components`, there are as many components as
        examples; of a single one, whose variance is unknown, the explained variance is 0.

        Args:
            X: [examples, features]; any number of examples.
            y: ignored.

        Returns:
            self.

        Raises:
            ValueError: as `fit`, and for other features than before.
            TypeError: for sparse X.
        """
        self._check_settings()
        resumed = hasattr(self, "components_")
        dtype = self.components_.dtype if resumed else DTYPES
        x = check_training_examples(self, X, resumed=resumed, dtype=dtype)
        batch = moments(x)
        merged = merge_moments(self._moments, batch) if resumed else batch
        return self._analyse(merged, x.dtype, x.shape[1])

    def transform(self, X: Any) -> np.ndarray:
        """Codes h = (x − x̄) W_e.

        Args:
            X: [examples, features].

        Returns:
            [examples, n_components_], of X's dtype.

        Raises:
            NotFittedError: before `fit`.
            ValueError: for other features than those fitted.
        """
        x = self._centred(X)
        return x @ self.params_["encoder"]["layer_0"]["kernel"].astype(x.dtype)

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Reconstructions x̂ = h W_d + x̄ of codes.

        Args:
            X: codes [examples, n_components_].

        Returns:
            [examples, features], of X's dtype.

        Raises:
            NotFittedError: before `fit`.
            ValueError: for codes of another width.
        """
        code = check_codes(self, X)
        decoder = self.params_["decoder"]["layer_0"]
        return code @ decoder["kernel"].astype(code.dtype) + decoder["bias"].astype(code.dtype)

    def score_samples(self, X: Any) -> np.ndarray:
        """Log-likelihood of each example under N(x̄, C), C of `get_covariance`.

        Args:
            X: [examples, features].

        Returns:
            [examples], in nats.

        Raises:
            NotFittedError: before `fit`.
            ValueError: for other features than those fitted; where C is singular.
        """
        x = self._centred(X)
        precision = self.get_precision()
        _, log_determinant = np.linalg.slogdet(precision)
        distances = np.sum(x * (x @ precision), axis=1)
        return (log_determinant - distances - x.shape[1] * np.log(2 * np.pi)) / 2

    def score(self, X: Any, y: Any = None) -> float:
        """Mean log-likelihood of the examples: higher is better.

        Args:
            X: [examples, features].
            y: ignored.

        Returns:
            The mean of `score_samples`.

        Raises:
            NotFittedError: before `fit`.
            ValueError: as `score_samples`.
        """
        return float(np.mean(self.score_samples(X)))

    def get_covariance(self) -> np.ndarray:
        """Covariance of the probabilistic model, C = V_k diag(λ_i − σ²) V_kᵀ + σ² I.

        Returns:
            [features, features]; λ_i are the explained variances, σ² the noise variance.

        Raises:
            NotFittedError: before `fit`.

        Source: Tipping & Bishop 1999.
        """
        check_is_fitted(self)
        noise = self.noise_variance_
        excess = np.maximum(self.explained_variance_ - noise, 0)
        return (self.components_.T * excess) @ self.components_ + noise * np.eye(len(self.mean_))

    def get_precision(self) -> np.ndarray:
        """Inverse covariance, C⁻¹ = V_k diag(1/λ_i − 1/σ²) V_kᵀ + I/σ².

        Returns:
            [features, features].

        Raises:
            NotFittedError: before `fit`.
            ValueError: where C is singular.

        Source: Tipping & Bishop 1999.
        """
        check_is_fitted(self)
        noise, features = self.noise_variance_, len(self.mean_)
        variances = np.maximum(self.explained_variance_, noise)
        if not variances.all() or (noise == 0 and self.n_components_ < features):
            raise ValueError(
                "the covariance is singular, so there is no likelihood; keep fewer components "
                f"than {self.n_components_}, or give more examples than features"
            )
        inverse = 1 / noise if noise > 0 else variances.dtype.type(0)
        own = (self.components_.T * (1 / variances - inverse)) @ self.components_
        return own + inverse * np.eye(features, dtype=own.dtype)

    @property
    def _n_features_out(self) -> int:
        return self.n_components_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _centred(self, x: Any) -> np.ndarray:
        """x − x̄, to the digits of the difference and not of x̄ in its dtype."""
        x = check_examples(self, x)
        return (x - self.mean_.astype(x.dtype)) - self._mean_residue.astype(x.dtype)

    def _check_settings(self) -> None:
        as_bool("whiten", self.whiten)
        if self.solver not in SOLVERS:
            raise ValueError(f"no solver is called {self.solver!r}; there are {', '.join(SOLVERS)}")
        if self.solver == "gradient" and not isinstance(
            as_python_scalar(self.n_components), Integral
        ):
            raise ValueError(
                "the gradient solver needs a whole number n_components, got "
                f"{self.n_components!r}; the closed form chooses it"
            )

    def _analyse(self, data: Moments, dtype: np.dtype, most: int) -> "LinearAutoencoder":
        gradient = self.solver == "gradient"
        # Refused before minutes of training: _code_size needs no eigenvalues of a whole number.
        if gradient:
            _code_size(self.n_components, np.zeros(0), 0.0, most)
        analysis = self._trained(data) if gradient else pca_of_moments(data)
        return self._keep(data, analysis, dtype, most)

    def _keep(
        self, data: Moments, analysis: PCA, dtype: np.dtype, most: int
    ) -> "LinearAutoencoder":
        """Set the fitted attributes; n_components may be at most `most`."""
        total, rank = float(np.square(data.factor).sum()), min(data.examples, len(data.mean))
        code = min(_code_size(self.n_components, analysis.eigenvalues, total, most), rank)
        eigenvalues, components = analysis.eigenvalues[:code], analysis.components[:code]
        unbiased = data.examples / max(data.examples - 1, 1)
        left = max(total - float(eigenvalues.sum()), 0.0) * unbiased
        _check_range(total * unbiased, data.magnitude, dtype)
        self._moments = data
        self.n_samples_, self.n_components_ = data.examples, code
        self.mean_, self.components_ = data.mean.astype(dtype), components.astype(dtype)
        self._mean_residue = (data.mean - self.mean_) + data.residue
        self.explained_variance_ = (eigenvalues * unbiased).astype(dtype)
        self.explained_variance_ratio_ = (eigenvalues / (total or 1.0)).astype(dtype)
        self.singular_values_ = np.sqrt(eigenvalues * data.examples).astype(dtype)
        self.noise_variance_ = dtype.type(left / (rank - code) if code < rank else 0.0)
        scales = _scales(np.sqrt(eigenvalues * unbiased), dtype) if self.whiten else None
        self.params_ = _params(self.components_, self.mean_, scales)
        return self

    def _trained(self, data: Moments) -> PCA:
        """The components of a trained autoencoder's reconstructions, which are PCA's."""
        if not data.factor.any():  # without variance there is nothing to train on
            return pca_of_moments(data)
        seed = as_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        trained = train_linear(jax.random.key(seed), data, int(as_python_scalar(self.n_components)))
        if not trained.converged:
            warnings.warn(
                f"L-BFGS has not converged in {trained.steps} steps; use solver='closed-form'",
                ConvergenceWarning,
                stacklevel=3,
            )
        encoder, decoder = (
            np.asarray(trained.params[side]["layer_0"]["kernel"]) for side in ("encoder", "decoder")
        )
        return pca_of_moments(data._replace(factor=data.factor @ encoder @ decoder))


def _code_size(given: Any, eigenvalues: np.ndarray, total: float, most: int) -> int:
    value = as_python_scalar(given)
    if value is None:
        return most
    if isinstance(value, Integral):
        if not isinstance(value, bool) and 1 <= int(value) <= most:
            return int(value)
    elif isinstance(value, Real) and 0 < float(value) < 1:
        shares = np.cumsum(eigenvalues) / (total or 1.0)
        return min(int(np.searchsorted(shares, float(value), side="right")) + 1, most)
    raise ValueError(
        f"n_components must be a whole number from 1 to min(examples, features) = {most}, a share "
        f"in (0, 1), or None, got {given!r}"
    )


def _check_range(variance: float, magnitude: float, dtype: np.dtype) -> None:
    """Refuse a variance that the attributes cannot hold: it would be infinite, or nothing."""
    some = np.sqrt(variance) > np.finfo(np.float64).eps * magnitude  # else it is only rounding
    least, most = float(np.finfo(dtype).tiny), float(np.finfo(dtype).max)
    if some and not least <= variance <= most:
        raise ValueError(
            f"the variance of X, {variance:.1e}, is out of {dtype}'s range; scale X"
            + (", or give it in float64" if dtype == np.float32 else "")
        )


def _scales(deviations: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Standard deviations to divide codes by; those that are only rounding are not divided out."""
    least = np.finfo(dtype).eps * deviations.max(initial=0.0)
    return np.maximum(deviations, least or 1.0).astype(dtype)


def _params(components: np.ndarray, mean: np.ndarray, scales: np.ndarray | None) -> Params:
    with jax.enable_x64(components.dtype == np.float64):
        arrays = jax.numpy.asarray(components), jax.numpy.asarray(mean)
        params = jax.tree.map(np.array, pca_params(*arrays))
    if scales is None:
        return params
    encoder, decoder = params["encoder"]["layer_0"], params["decoder"]["layer_0"]
    return {
        "encoder": {"layer_0": {name: leaf / scales for name, leaf in encoder.items()}},
        "decoder": {"layer_0": decoder | {"kernel": decoder["kernel"] * scales[:, None]}},
    }
