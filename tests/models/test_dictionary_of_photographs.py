"""Dictionaries of whitened photographs beside scikit-learn's dictionary learning, at equal L0."""

import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.decomposition import MiniBatchDictionaryLearning, sparse_encode

import aejax
from aejax import losses, penalties, trackers, training
from experiments.harness.whitened_photographs import load

UNITS, K = 200, 8


@pytest.fixture(scope="module")
def patches(shared_data):
    """Train and test patches of 144 pixels."""
    path = shared_data / "natural_images" / "olshausen_whitened.npz"
    if not path.exists():
        pytest.skip("the whitened photographs are missing")
    found = load(str(path))
    train, test = found.x_train, found.x_test[:1000]
    return [x.reshape(len(x), -1).astype(np.float32) for x in (train, test)]


def unexplained(x, x_hat):
    return np.square(x - x_hat).sum() / np.square(x).sum()


def unexplained_by_pursuit(x, directions):
    """Fraction of ‖x‖² that scikit-learn's orthogonal matching pursuit with K atoms leaves."""
    directions = np.asarray(directions, float)
    atoms = directions / np.linalg.norm(directions, axis=1, keepdims=True)
    code = sparse_encode(x.astype(float), atoms, algorithm="omp", n_nonzero_coefs=K)
    assert np.count_nonzero(code, axis=1).max() <= K
    return unexplained(x, code @ atoms)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_directions_reconstruct_as_well_as_those_of_scikit_learn(patches):
    train, test = patches
    model = aejax.dictionary(train.shape[1], UNITS, activation=aejax.top_k_relu(k=K))
    objective = aejax.objective(
        model,
        losses.squared,
        penalties={"auxk": (1 / 32, penalties.auxk(k=72, dead_after=100))},
        tracker=trackers.steps_since_active(UNITS),
    )
    unit_norm = training.unit_norm(select=lambda params: params["decoder"]["kernel"])
    optimizer = training.constrained(optax.adam(1e-3), unit_norm)
    state, _ = training.fit(objective, optimizer, train, key=0, epochs=15, batch_size=500)
    learner = MiniBatchDictionaryLearning(
        UNITS, alpha=1, batch_size=256, max_iter=5, fit_algorithm="cd", random_state=0
    )
    peer = unexplained_by_pursuit(test, learner.fit(train[:5000]).components_)
    ours = unexplained_by_pursuit(test, state.params["decoder"]["kernel"])
    code = model.encode(state.params, jnp.asarray(test))
    encoded = unexplained(test, np.asarray(model.decode(state.params, code)))
    print(
        f"unexplained at L0 = {K}: scikit-learn {peer:.3f}, aejax {ours:.3f} by the same pursuit,"
    )
    print(f"{encoded:.3f} by its own encoder")
    assert ours < 1.05 * peer
    assert encoded < 1
