"""Synthetic dictionaries: moments in closed form, and by a simulation in NumPy of the same law."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats

from aejax import data
from aejax.data import synthetic_dictionary

SMALL = data.DictionaryLaw(
    features=32,
    dimensions=6,
    roots=2,
    branching=3,
    depth=2,
    min_probability=0.05,
    first_magnitude=1.5,
    last_magnitude=1.0,
    correlation_rank=4,
    correlation_scale=0.4,
    orthogonal_steps=10,
)
COUNT = 20_000
STANDARD_ERRORS = 5.0
draw = jax.jit(data.draw_dictionary, static_argnums=1)
sample = jax.jit(data.sample_activations, static_argnames="count")


@pytest.fixture(scope="module")
def truth():
    return draw(jax.random.key(0), SMALL)


@pytest.fixture(scope="module")
def activations(truth):
    return np.asarray(sample(jax.random.key(1), truth, count=COUNT))


def assert_same_moments(sample, expected, square):
    """Means of a sample, against expected means and mean squares, in standard errors."""
    bound = STANDARD_ERRORS * np.sqrt((square - expected**2) / len(sample)) + 1e-6
    assert np.all(np.abs(sample.mean(axis=0) - expected) < bound)


def probability_of_winning(firing):
    """E[1[i fires]/number that fire] of independent siblings, by convolution."""
    won = []
    for index, own in enumerate(firing):
        others = np.ones(1)
        for p in np.delete(firing, index):
            others = np.convolve(others, [1 - p, p])
        won.append(own * np.sum(others / np.arange(1, len(others) + 1)))
    return np.array(won)


def closed_form(truth):
    """P(a > 0), E a, E a² and E a⁴ of each feature without correlations."""
    p, mean, deviation = (
        np.asarray(part, float) for part in (truth.probabilities, truth.means, truth.deviations)
    )
    magnitudes = stats.truncnorm(-mean / deviation, np.inf, loc=mean, scale=deviation)
    powers = [0, 1, 2, 4]
    given = np.stack([magnitudes.moment(power) if power else np.ones_like(p) for power in powers])
    active = p * stats.norm.cdf(mean / deviation)  # fires with a positive magnitude
    found = active * given
    roots, branching = truth.law.roots, truth.law.branching
    for parent in range((sum(truth.law.levels) - roots) // branching):
        children = slice(roots + parent * branching, roots + (parent + 1) * branching)
        scale = found[:, parent, None] / mean[parent] ** np.array(powers)[:, None]
        found[:, children] = probability_of_winning(active[children]) * given[:, children] * scale
    return found


def simulated(truth, rng, count):
    """Activations by the definition of the law: Gaussians, thresholds, then feature by feature."""
    p, mean, deviation, loadings = (
        np.asarray(part, float)
        for part in (truth.probabilities, truth.means, truth.deviations, truth.loadings)
    )
    covariance = loadings @ loadings.T
    np.fill_diagonal(covariance, 1)
    gaussian = rng.multivariate_normal(np.zeros(len(p)), covariance, count, method="cholesky")
    a = np.maximum(rng.normal(mean, deviation, (count, len(p))), 0)
    a *= gaussian > stats.norm.isf(p)
    for parent in range(len(p)):
        children = np.flatnonzero(truth.law.parents == parent)
        if len(children):
            score = np.where(a[:, children] > 0, rng.uniform(size=(count, len(children))), -1)
            is_best = score == score.max(axis=1, keepdims=True)
            a[:, children] *= is_best * a[:, [parent]] / mean[parent]
    return a


def test_without_correlations_the_moments_have_a_closed_form(truth):
    alone = dataclasses.replace(truth, loadings=jnp.zeros_like(truth.loadings))
    a = np.asarray(sample(jax.random.key(2), alone, count=COUNT), float)
    active, mean, square, fourth = closed_form(alone)
    assert_same_moments(a > 0, active, active)
    assert_same_moments(a, mean, square)
    assert_same_moments(a**2, square, fourth)


def test_activations_have_the_moments_of_a_simulation_of_the_law(truth, activations):
    """All means and all pairs that are active together; both samples have sampling errors."""
    expected = simulated(truth, np.random.default_rng(0), COUNT)
    for one, other in ((activations, expected), (activations > 0, expected > 0)):
        error = np.sqrt((one.var(axis=0) + other.var(axis=0)) / COUNT)
        assert np.all(np.abs(one.mean(axis=0) - other.mean(axis=0)) <= STANDARD_ERRORS * error)
    one, other = ((a > 0).T.astype(float) @ (a > 0) / COUNT for a in (activations, expected))
    error = np.sqrt((one * (1 - one) + other * (1 - other)) / COUNT)
    assert np.all(np.abs(one - other) <= STANDARD_ERRORS * error)
    independent = np.outer(np.diagonal(one), np.diagonal(one))
    roots = np.s_[26:, 26:]  # features outside the trees, whose marginals are not changed
    assert np.abs(one - independent)[roots][~np.eye(6, dtype=bool)].max() > 0.004  # correlated


def test_features_outside_the_trees_and_roots_keep_their_probabilities(truth, activations):
    kept = SMALL.parents < 0
    p = np.asarray(truth.probabilities)[kept] * stats.norm.cdf(truth.means / truth.deviations)[kept]
    assert kept.sum() == 8
    assert_same_moments(activations[:, kept] > 0, p, p)


def test_a_child_is_active_only_with_its_parent_and_without_siblings(activations):
    active = activations > 0
    for child, parent in enumerate(SMALL.parents):
        if parent >= 0:
            siblings = (SMALL.parents == parent) & (np.arange(32) != child)
            assert not np.any(active[:, child] & ~active[:, parent])
            assert not np.any(active[:, child, None] & active[:, siblings])


def test_a_draw_has_the_constants_of_its_law(truth):
    np.testing.assert_allclose(np.linalg.norm(truth.directions, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(truth.bias), 0.5, rtol=1e-6)
    np.testing.assert_allclose(truth.means, 1.5 - 0.5 * np.arange(32) / 31, rtol=1e-6)
    assert np.all(np.sum(np.square(truth.loadings), axis=1) <= 0.99 + 1e-6)
    other = draw(jax.random.key(1), SMALL)
    assert not np.allclose(other.directions, truth.directions)
    assert "directions=float32 [32, 6]" in repr(truth)


def test_probabilities_follow_zipfs_law_and_compensate_for_the_trees(truth):
    """Written out feature by feature, from the definition."""
    base = []
    for rank in range(1, 33):
        share = (rank**-0.5 - 32**-0.5) / (1 - 32**-0.5)
        base.append(0.05 + (0.4 - 0.05) * share)
    expected = list(base)
    for child in range(2, 26):
        parent = (child - 2) // 3
        siblings = [other for other in range(2, 26) if (other - 2) // 3 == parent]
        competing = sum(base[other] / base[parent] for other in siblings if other != child)
        expected[child] = min(1, base[child] / base[parent] * (1 + competing))
    np.testing.assert_allclose(truth.probabilities, expected, rtol=1e-6)
    assert max(expected) == 1  # a probability that was limited


def test_parents_are_breadth_first():
    law = data.DictionaryLaw(features=17, dimensions=2, roots=2, branching=2, depth=2)
    assert law.levels == [2, 4, 8]
    expected = [-1, -1, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, -1, -1, -1]
    np.testing.assert_array_equal(law.parents, expected)
    np.testing.assert_array_equal(law.depths, [0] * 2 + [1] * 4 + [2] * 8 + [0] * 3)
    assert sum(data.SYNTHSAEBENCH_16K_V2.levels) == 10_880  # as published
    assert np.all(data.DictionaryLaw(features=5, dimensions=2, roots=0).parents == -1)


def test_overlap_is_reduced_by_adam():
    """Adam in NumPy, with the gradient of the full matrix of inner products."""
    start = np.random.default_rng(0).normal(size=(20, 6))
    d = start / np.linalg.norm(start, axis=1, keepdims=True)
    first, second = np.zeros_like(d), np.zeros_like(d)
    for step in range(1, 11):
        gram = d @ d.T
        diagonal = np.diagonal(gram)
        gradient = 4 * (gram - np.diag(diagonal)) @ d + 80 * (diagonal - 1)[:, None] * d
        first, second = 0.9 * first + 0.1 * gradient, 0.999 * second + 0.001 * gradient**2
        d = d - 0.01 * first / (1 - 0.9**step) / (np.sqrt(second / (1 - 0.999**step)) + 1e-8)
    expected = d / np.linalg.norm(d, axis=1, keepdims=True)
    with jax.enable_x64(True):
        found = synthetic_dictionary.reduce_overlap(jnp.asarray(start), steps=10, rate=0.01)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_worlds_and_examples_are_drawn_inside_a_scan_and_a_vmap():
    """One program draws one dictionary per seed, and samples at every step of a scan."""

    @jax.jit
    @jax.vmap
    def run(key):
        truth = data.draw_dictionary(key, SMALL)
        keys = jax.random.split(key, 3)
        return jax.lax.scan(
            lambda _, key: (None, data.sample_examples(key, truth, count=COUNT)), None, keys
        )[1]

    found = run(jax.random.split(jax.random.key(3), 2))
    assert not np.allclose(found[1, 1], found[1, 2])
    key = jax.random.split(jax.random.key(3), 2)[1]
    truth, keys = draw(key, SMALL), jax.random.split(key, 3)
    activations = np.asarray(sample(keys[2], truth, count=COUNT), float)
    expected = activations @ np.asarray(truth.directions) + np.asarray(truth.bias)
    close = np.isclose(found[1, 2], expected, atol=1e-4).all(axis=1)
    assert np.mean(close) > 0.999  # a different order of sums changes the rarest comparisons


def test_extreme_probabilities_and_deviations_give_finite_activations(truth):
    extreme = dataclasses.replace(
        truth,
        probabilities=jnp.where(jnp.arange(32) % 2, 1.0, 0.0),
        deviations=jnp.zeros(32),
    )
    a = np.asarray(sample(jax.random.key(0), extreme, count=COUNT))
    assert np.isfinite(a).all()
    np.testing.assert_array_equal(a[:, 27::2] > 0, True)
    np.testing.assert_array_equal(a[:, 26::2], 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"features": 20}, "the trees have 26 nodes .* more than the 20 features"),
        ({"features": 0}, r"features must lie in \[1"),
        ({"branching": 0}, "branching must lie"),
        ({"roots": -1}, "roots must lie"),
        ({"max_probability": 0.0, "min_probability": 0.0}, "max_probability must lie"),
        ({"max_probability": 1.5}, "max_probability must lie"),
        ({"min_probability": 0.5}, r"min_probability must lie in \[0, 0.4\]"),
        ({"first_magnitude": 0.0}, "first_magnitude must lie"),
        ({"correlation_scale": float("nan")}, "correlation_scale must lie"),
    ],
)
def test_impossible_laws_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(SMALL, **change)


@pytest.mark.slow
def test_the_published_benchmark_has_its_published_number_of_active_features():
    """SAELens states 34, and 25 among the first 4096; its generator gives 34.5 and 25.2."""
    law = dataclasses.replace(data.SYNTHSAEBENCH_16K_V2, dimensions=1, orthogonal_steps=0)
    big = draw(jax.random.key(0), law)
    folded = stats.foldnorm(1.0, scale=0.5)  # |N(0.5, 0.5²)|
    assert stats.kstest(np.asarray(big.deviations), folded.cdf).pvalue > 1e-3
    active = np.mean([sample(jax.random.key(i), big, count=512) > 0 for i in range(8)], axis=(0, 1))
    assert active.sum() == pytest.approx(34.5, abs=0.3)
    assert active[:4096].sum() == pytest.approx(25.2, abs=0.3)


@pytest.fixture(scope="module")
def peer():
    """The generator of SAELens with the law `SMALL`; in an environment of its own."""
    synthetic = pytest.importorskip("sae_lens.synthetic", reason="sae-lens is not installed")
    config = synthetic.SyntheticModelConfig(
        num_features=32,
        hidden_dim=6,
        firing_probability=synthetic.ZipfianFiringProbabilityConfig(0.5, 0.4, 0.05),
        hierarchy=synthetic.HierarchyConfig(
            total_root_nodes=2,
            branching_factor=3,
            max_depth=2,
            mutually_exclusive_portion=1.0,
            compensate_probabilities=True,
            scale_children_by_parent=True,
        ),
        orthogonalization=synthetic.OrthogonalizationConfig(num_steps=10, lr=3e-4),
        correlation=synthetic.LowRankCorrelationConfig(rank=4, correlation_scale=0.4),
        mean_firing_magnitudes=synthetic.LinearMagnitudeConfig(1.5, 1.0),
        std_firing_magnitudes=synthetic.FoldedNormalMagnitudeConfig(0.5, 0.5),
        bias=0.5,
        seed=0,
    )
    return synthetic.SyntheticModel(config)


def test_saelens_has_the_same_law(peer):
    """Its draw, sampled by its generator and by ours; and its constants."""
    generator = peer.activation_generator
    theirs = data.SyntheticDictionary(
        *(
            jnp.asarray(np.asarray(part.detach()))
            for part in (
                peer.feature_dict.feature_vectors,
                peer.feature_dict.bias,
                generator.firing_probabilities,
                generator.mean_firing_magnitudes,
                generator.std_firing_magnitudes,
                peer.correlation_matrix.correlation_factor,
            )
        ),
        law=SMALL,
    )
    ours = draw(jax.random.key(0), SMALL)
    np.testing.assert_allclose(theirs.probabilities, ours.probabilities, rtol=1e-5)
    np.testing.assert_allclose(theirs.means, ours.means, rtol=1e-6)
    a = np.asarray(sample(jax.random.key(0), theirs, count=COUNT))
    expected = generator.sample(COUNT).numpy()
    for one, other in ((a, expected), (a > 0, expected > 0), (a**2, expected**2)):
        error = np.sqrt((one.var(axis=0) + other.var(axis=0)) / COUNT)
        assert np.all(np.abs(one.mean(axis=0) - other.mean(axis=0)) <= STANDARD_ERRORS * error)
    pairs, expected = ((each > 0).T.astype(float) @ (each > 0) / COUNT for each in (a, expected))
    error = np.sqrt((pairs + expected) / COUNT)
    assert np.all(np.abs(pairs - expected) <= STANDARD_ERRORS * error + 1e-9)


def test_saelens_reduces_overlap_equally(peer):
    dictionary = pytest.importorskip("sae_lens.synthetic.feature_dictionary")
    start = peer.feature_dict.feature_vectors.detach()
    expected = dictionary.orthogonalize_embeddings(start, num_steps=15, lr=0.01)
    found = synthetic_dictionary.reduce_overlap(jnp.asarray(start.numpy()), steps=15, rate=0.01)
    np.testing.assert_allclose(found, expected, atol=1e-5)
