"""The figures of a finished run: what the autoencoder loses on test examples, and what PCA does."""

from functools import partial
from typing import Any

import jax
import numpy as np

from aejax.cli.run import Examples, Run
from aejax.objective import reconstruct


def measure(run: Run, examples: Examples) -> dict[str, Any]:
    """Reconstruction error on the test examples, beside that of PCA with as many numbers."""
    x = np.asarray(examples.test.x)
    code = jax.eval_shape(run.objective.model.encode, run.params, examples.test.x).shape[-1]
    return {
        "measure": "mean over test examples of the sum over features of (x̂ − x)², normalised units",
        "test_examples": len(x),
        "code": code,
        "step": run.step,
        "test_error": _error(_reconstructed(run, x), x),
        "pca_test_error": _pca_error(examples, code),
    }


def _reconstructed(run: Run, x: np.ndarray) -> np.ndarray:
    return np.asarray(jax.jit(partial(reconstruct, run.objective))(run.params, x))


def _pca_error(examples: Examples, code: int) -> float | None:
    """PCA fitted to all train examples, validation included; None where it keeps everything."""
    from sklearn.decomposition import PCA

    held_out = [] if examples.validation is None else [np.asarray(examples.validation.x)]
    x_train = np.concatenate([np.asarray(examples.train.x), *held_out]).astype(np.float64)
    if code >= min(x_train.shape):
        return None
    pca = PCA(code, svd_solver="covariance_eigh").fit(x_train)
    x = np.asarray(examples.test.x, np.float64)
    return _error(pca.inverse_transform(pca.transform(x)), x)


def _error(x_hat: np.ndarray, x: np.ndarray) -> float:
    return float(np.mean(np.sum(np.square(x_hat.astype(np.float64) - x), axis=1)))
