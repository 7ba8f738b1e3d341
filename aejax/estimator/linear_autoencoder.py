"""Linear autoencoder as a drop-in replacement for `sklearn.decomposition.PCA`."""

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
from aejax.estimator.outlier_mixin import OutlierThresholdMixin, check_contamination
from aejax.estimator.settings import as_bool, as_python_scalar, as_random_state
from aejax.models import pca_params
from aejax.theory.analysis.covariance import analyse_covariance
from aejax.theory.analysis.moments import Moments, moments
from aejax.theory.analysis.pca import PCA, pca_of_moments
from aejax.theory.learning.streamed_moments import merge_moments
from aejax.theory.solvers.linear_solvers import train_linear
from aejax.types import Params

SOLVERS = ("closed-form", "covariance", "gradient")


class LinearAutoencoder(
    OutlierThresholdMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Linear autoencoder h = x W_e + b, x̂ = h W_d + c, whose optimum is PCA.

    Attributes, signs and methods agree with `sklearn.decomposition.PCA`. float32 examples give
    float32 attributes and codes; sums accumulate in float64, except in the covariance solver.
    `partial_fit` merges exact moments, so the fit does not depend on how examples are batched.

    Args:
        n_components: number of code units k; a fraction in (0, 1) selects the smallest k that
            explains more than this fraction of the variance; None selects all.
        whiten: whether to scale every code unit to variance one.
        solver: "closed-form" uses the singular value decomposition; "covariance" the eigenvectors
            of the covariance or Gram matrix in the dtype of X, which is faster for many examples or
            features, with half as many correct digits; "gradient" trains the autoencoder by L-BFGS
            from a random start and extracts the components from its reconstructions.
        random_state: seed of the random start of the gradient solver.
        contamination: fraction of the examples in `fit` that are outliers, in (0, 0.5], for
            `decision_function` and `predict` (default: no threshold). It needs a likelihood, so
            fewer components than features.

    Attributes:
        components_: V_kᵀ [k, features], unit principal directions as rows, whose entry of largest
            magnitude is positive.
        explained_variance_: variance along each component, [k], with denominator m − 1.
        explained_variance_ratio_: fraction of the total variance, [k].
        singular_values_: singular values of the centred examples, [k].
        mean_: mean x̄ of the examples, [features].
        noise_variance_: mean variance along the discarded directions; 0 if there are none.
        n_components_: number of components k.
        offset_: threshold of `score_samples`, the quantile `contamination` of the scores of the
            examples in `fit`; only if contamination is not None.
        n_samples_: number of examples seen.
        n_features_in_: number of features of X.
        feature_names_in_: names of the features, if X had names.
        params_: parameters of `aejax.linear`, a nested dict of NumPy arrays.

    Source: Bourlard & Kamp 1988; Baldi & Hornik 1989; Tipping & Bishop 1999 (the likelihood).

    Example:
        >>> from sklearn.datasets import load_iris
        >>> from aejax.estimator import LinearAutoencoder
        >>> model = LinearAutoencoder(n_components=2).fit(load_iris().data)
        >>> model.explained_variance_ratio_.round(3).tolist()
        [0.925, 0.053]
    """

    def __init__(
        self,
        n_components: int | float | None = None,
        *,
        whiten: bool = False,
        solver: str = "closed-form",
        random_state: Any = None,
        contamination: float | None = None,
    ):
        self.n_components = n_components
        self.whiten = whiten
        self.solver = solver
        self.random_state = random_state
        self.contamination = contamination

    def fit(self, X: Any, y: Any = None) -> "LinearAutoencoder":
        """Compute the optimum for X.

        Args:
            X: examples [examples, features], dense and finite, at least two.
            y: ignored.

        Returns:
            self.

        Raises:
            ValueError: if examples or settings are invalid.
            TypeError: if X is sparse.

        Warns:
            ConvergenceWarning: if the gradient solver does not converge.
        """
        self._check_settings()
        x = check_training_examples(self, X, resumed=False, at_least=2)
        most = min(x.shape)
        if self.solver == "covariance":
            self._set_attributes(*analyse_covariance(x), x.dtype, most)
        else:
            self._analyse(moments(x), x.dtype, most)
        self._set_offset(x)
        return self

    def partial_fit(self, X: Any, y: Any = None) -> "LinearAutoencoder":
        """Compute the optimum for all examples of this and earlier calls.

        With fewer examples than `n_components`, there are as many components as examples; for a
        single example the explained variance is 0.

        Args:
            X: examples [examples, features].
            y: ignored.

        Returns:
            self.

        Raises:
            ValueError: as `fit`, and if the features differ from those of earlier calls.
            TypeError: if X is sparse.
        """
        self._check_settings()
        resumed = hasattr(self, "components_")
        dtype = self.components_.dtype if resumed else DTYPES
        x = check_training_examples(self, X, resumed=resumed, dtype=dtype)
        batch = moments(x)
        merged = merge_moments(self._moments, batch) if resumed else batch
        self._set_offset(None)  # of the earlier components
        return self._analyse(merged, x.dtype, x.shape[1])

    def transform(self, X: Any) -> np.ndarray:
        """Codes h = (x − x̄) W_e.

        Args:
            X: examples [examples, features].

        Returns:
            Codes [examples, n_components_], with the dtype of X.

        Raises:
            NotFittedError: if the estimator is not fitted.
            ValueError: if the features differ from those fitted.
        """
        x = self._centred(X)
        return x @ self.params_["encoder"]["layer_0"]["kernel"].astype(x.dtype)

    def inverse_transform(self, X: Any) -> np.ndarray:
        """Reconstructions x̂ = h W_d + x̄ of codes.

        Args:
            X: codes [examples, n_components_].

        Returns:
            Reconstructions [examples, features], with the dtype of X.

        Raises:
            NotFittedError: if the estimator is not fitted.
            ValueError: if the codes have another number of components.
        """
        code = check_codes(self, X)
        decoder = self.params_["decoder"]["layer_0"]
        return code @ decoder["kernel"].astype(code.dtype) + decoder["bias"].astype(code.dtype)

    def score_samples(self, X: Any) -> np.ndarray:
        """Log-likelihood of each example under N(x̄, C), with C of `get_covariance`.

        Args:
            X: examples [examples, features].

        Returns:
            Log-likelihoods in nats, [examples].

        Raises:
            NotFittedError: if the estimator is not fitted.
            ValueError: if the features differ from those fitted, or C is singular.
        """
        x = self._centred(X)
        precision = self.get_precision()
        _, log_determinant = np.linalg.slogdet(precision)
        distances = np.sum(x * (x @ precision), axis=1)
        return (log_determinant - distances - x.shape[1] * np.log(2 * np.pi)) / 2

    def score(self, X: Any, y: Any = None) -> float:
        """Mean log-likelihood of the examples; higher is better.

        Args:
            X: examples [examples, features].
            y: ignored.

        Returns:
            The mean of `score_samples`.

        Raises:
            NotFittedError: if the estimator is not fitted.
            ValueError: as `score_samples`.
        """
        return float(np.mean(self.score_samples(X)))

    def get_covariance(self) -> np.ndarray:
        """Covariance of the probabilistic model, C = V_k diag(λ_i − σ²) V_kᵀ + σ² I.

        Returns:
            C [features, features]; λ_i are the explained variances, σ² the noise variance.

        Raises:
            NotFittedError: if the estimator is not fitted.

        Source: Tipping & Bishop 1999.
        """
        check_is_fitted(self)
        noise = self.noise_variance_
        excess = np.maximum(self.explained_variance_ - noise, 0)
        return (self.components_.T * excess) @ self.components_ + noise * np.eye(len(self.mean_))

    def get_precision(self) -> np.ndarray:
        """Precision matrix C⁻¹ = V_k diag(1/λ_i − 1/σ²) V_kᵀ + I/σ².

        Returns:
            C⁻¹ [features, features].

        Raises:
            NotFittedError: if the estimator is not fitted.
            ValueError: if C is singular.

        Source: Tipping & Bishop 1999.
        """
        check_is_fitted(self)
        noise, features = self.noise_variance_, len(self.mean_)
        variances = np.maximum(self.explained_variance_, noise)
        if not variances.all() or (noise == 0 and self.n_components_ < features):
            raise ValueError(
                "the covariance is singular, so there is no likelihood; use fewer components "
                f"than {self.n_components_}, or more examples than features"
            )
        inverse = 1 / noise if noise > 0 else variances.dtype.type(0)
        low_rank = (self.components_.T * (1 / variances - inverse)) @ self.components_
        return low_rank + inverse * np.eye(features, dtype=low_rank.dtype)

    @property
    def _n_features_out(self) -> int:
        return self.n_components_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _centred(self, x: Any) -> np.ndarray:
        """x − x̄, corrected by the rounding error of x̄ in its dtype."""
        x = check_examples(self, x)
        return (x - self.mean_.astype(x.dtype)) - self._mean_residue.astype(x.dtype)

    def _check_settings(self) -> None:
        as_bool("whiten", self.whiten)
        if self.contamination is not None:
            check_contamination(self.contamination)
        if self.solver not in SOLVERS:
            raise ValueError(f"solver must be one of {', '.join(SOLVERS)}, got {self.solver!r}")
        if self.solver == "gradient" and not isinstance(
            as_python_scalar(self.n_components), Integral
        ):
            raise ValueError(
                f"the gradient solver needs an integer n_components, got {self.n_components!r}; "
                "solver='closed-form' can choose it by variance"
            )

    def _analyse(self, data: Moments, dtype: np.dtype, most: int) -> "LinearAutoencoder":
        gradient = self.solver == "gradient"
        # Check before training: for an integer, _code_size does not need the eigenvalues.
        if gradient:
            _code_size(self.n_components, np.zeros(0), 0.0, most)
        analysis = self._trained(data) if gradient else pca_of_moments(data)
        return self._set_attributes(data, analysis, dtype, most)

    def _set_attributes(
        self, data: Moments, analysis: PCA, dtype: np.dtype, most: int
    ) -> "LinearAutoencoder":
        """Set the fitted attributes; `most` is the largest possible n_components."""
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
        """PCA of the reconstructions of a trained autoencoder."""
        if not data.factor.any():  # without variance, gradients vanish
            return pca_of_moments(data)
        seed = as_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        trained = train_linear(jax.random.key(seed), data, int(as_python_scalar(self.n_components)))
        if not trained.converged:
            warnings.warn(
                f"L-BFGS did not converge in {trained.steps} steps; use solver='closed-form'",
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
        f"n_components must be an integer from 1 to min(examples, features) = {most}, a fraction "
        f"in (0, 1), or None, got {given!r}"
    )


def _check_range(variance: float, magnitude: float, dtype: np.dtype) -> None:
    """Check that the dtype of the attributes can represent the variance."""
    significant = np.sqrt(variance) > np.finfo(np.float64).eps * magnitude  # above rounding errors
    smallest, largest = float(np.finfo(dtype).tiny), float(np.finfo(dtype).max)
    if significant and not smallest <= variance <= largest:
        raise ValueError(
            f"the variance of X, {variance:.1e}, is out of the range of {dtype}; scale X"
            + (", or convert it to float64" if dtype == np.float32 else "")
        )


def _scales(deviations: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Standard deviations to divide codes by, bounded below at the level of rounding errors."""
    smallest = np.finfo(dtype).eps * deviations.max(initial=0.0)
    return np.maximum(deviations, smallest or 1.0).astype(dtype)


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
