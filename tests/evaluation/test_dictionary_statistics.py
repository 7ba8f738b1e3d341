"""Statistics of dictionaries, against scikit-learn and NumPy on all examples at once."""

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import r2_score

from aejax import evaluation


def example(examples=1000, offset=100.0):
    """x far from the origin, a signed sparse code with a dead latent, and a reconstruction."""
    rng = np.random.default_rng(0)
    x = (offset + rng.normal(size=(examples, 6)) * np.arange(1, 7)).astype("float32")
    code = rng.normal(size=(examples, 5)) * (rng.uniform(size=(examples, 5)) < 0.3)
    code[:, 3] = 0
    x_hat = (0.9 * x + rng.normal(size=x.shape)).astype("float32")
    return x, code.astype("float32"), x_hat


def in_batches(x, code, x_hat, sizes=(7, 500, 493)):
    stops = np.cumsum(sizes)
    parts = [np.s_[stop - size : stop] for size, stop in zip(sizes, stops, strict=True)]
    x, code, x_hat = map(jnp.asarray, (x, code, x_hat))
    return [(x[part], code[part], x_hat[part]) for part in parts]


def test_statistics_of_a_stream_are_those_of_all_examples():
    x, code, x_hat = example()
    found = evaluation.dictionary_statistics(in_batches(x, code, x_hat))
    assert found.examples == 1000
    assert found.l0 == pytest.approx(np.count_nonzero(code, axis=1).mean())
    np.testing.assert_allclose(found.frequency, (code != 0).mean(axis=0))
    np.testing.assert_array_equal(found.dead, [False, False, False, True, False])
    x, x_hat = x.astype(float), x_hat.astype(float)
    # with all variances pooled, as in scikit-learn's "variance_weighted"
    expected = r2_score(x, x_hat, multioutput="variance_weighted")
    assert found.explained_variance == pytest.approx(expected, rel=1e-12)
    norms, norms_hat = np.linalg.norm(x, axis=1), np.linalg.norm(x_hat, axis=1)
    assert found.norm_ratio == pytest.approx(np.mean(norms_hat / norms), rel=1e-12)


def test_the_reconstruction_bias_is_the_inverse_of_the_best_scale():
    x, code, x_hat = example(offset=0.0)
    found = evaluation.dictionary_statistics([(x, code, x_hat)])
    scale = np.linalg.lstsq(x_hat.reshape(-1, 1), x.ravel(), rcond=None)[0][0]
    assert found.reconstruction_bias == pytest.approx(1 / scale, rel=1e-5)


def test_examples_may_have_any_shape_and_a_zero():
    x = np.zeros((3, 2, 2), "float32")
    x[0, 0, 0], x[1] = 2.0, 1.0
    found = evaluation.dictionary_statistics([(x, np.eye(3), x / 2)])
    assert found.norm_ratio == 0.5  # of the two examples with a norm


def test_the_histogram_counts_living_latents_by_decades():
    frequency = np.array([0.0, 0.0, 2e-4, 0.003, 0.05, 0.5, 1.0])
    histogram = evaluation.density_histogram(frequency, bins=4)
    np.testing.assert_allclose(histogram.edges, [1e-4, 1e-3, 1e-2, 1e-1, 1])
    np.testing.assert_array_equal(histogram.counts, [1, 1, 1, 2])
    assert histogram.dead == 2
    assert evaluation.density_histogram(np.zeros(3), bins=4).dead == 3


@pytest.mark.parametrize(
    ("batches", "message"),
    [
        ([], "no examples: pass at least one batch"),
        ([(np.ones((3, 2)), np.ones((3, 4)), np.ones((3, 2)))], "3 examples, all of them equal"),
        ([(np.ones((3, 2)), np.ones((2, 4)), np.ones((3, 2)))], "batch 0: expected x"),
        ([(np.ones((3, 2)), np.ones((3, 4)), np.ones((3, 1)))], "batch 0: expected x"),
        ([(np.ones((3, 2)), np.ones((3, 4)), np.full((3, 2), np.nan))], "batch 0: x̂ has a value"),
    ],
)
def test_unusable_batches_are_refused(batches, message):
    with pytest.raises(ValueError, match=message):
        evaluation.dictionary_statistics(batches)


def test_impossible_frequencies_are_refused():
    with pytest.raises(ValueError, match=r"frequencies in \[0, 1\]"):
        evaluation.density_histogram(np.array([0.5, 1.5]))
    with pytest.raises(ValueError, match="at least 1 bin"):
        evaluation.density_histogram(np.array([0.5]), bins=0)


def test_saelens_has_the_same_definitions():
    evals = pytest.importorskip("sae_lens.synthetic.evals", reason="sae-lens is not installed")
    import torch

    x, code, x_hat = example(offset=1.0)
    found = evaluation.dictionary_statistics(in_batches(x, code, x_hat))
    l0, dead, ratio, variance = (
        evals.L0Calculator(),
        evals.DeadLatentsCalculator(5),
        evals.ShrinkageCalculator(),
        evals.ExplainedVarianceCalculator(),
    )
    x, code, x_hat = map(torch.tensor, (x, code, x_hat))
    l0.add_batch(code)
    dead.add_batch(code)
    ratio.add_batch(x_hat, x)
    variance.add_batch(x_hat, x)
    assert found.l0 == pytest.approx(l0.compute())
    assert found.dead.sum() == dead.compute()
    assert found.norm_ratio == pytest.approx(ratio.compute(), rel=1e-5)
    assert found.explained_variance == pytest.approx(variance.compute(), rel=1e-5)
