import functools
import resource
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA, IncrementalPCA

from aejax import theory
from aejax.theory.analysis.moments import moments
from aejax.theory.analysis.pca import pca_of_moments
from aejax.theory.learning.streamed_moments import (
    merge_in_pairs,
    merge_moments,
    moments_of_stream,
    streamed_moments,
)
from tests.properties import property_test
from tests.theory.degenerate_data import DATA, DIGITS, NORMAL
from tests.theory.spectra import with_spectrum
from tests.theory.verdict_checks import verdicts

NO = "not identifiable"
NA = "not applicable"


def assert_moments_of(data, x, *, atol=1e-13):
    """Compare moments with NumPy's covariance and mean, which share no code with the library."""
    scale = max(np.var(x, axis=0).sum(), 1e-300)
    covariance = np.atleast_2d(np.cov(x, rowvar=False, bias=True))
    assert data.examples == len(x)
    assert data.factor.shape == (min(x.shape), x.shape[1])
    np.testing.assert_array_equal(data.factor, np.triu(data.factor))
    np.testing.assert_allclose(data.mean, x.mean(axis=0), rtol=1e-13, atol=atol)
    np.testing.assert_allclose(data.factor.T @ data.factor, covariance, atol=atol * scale)
    assert data.magnitude == pytest.approx(np.sqrt(np.mean(np.sum(x**2, axis=1))))


@pytest.mark.parametrize("size", [1, 7, 64, 100, 1796, 5000])
def test_a_stream_has_the_moments_of_all_its_batches(size):
    x = DIGITS[:400] if size == 1 else DIGITS
    batches = (x[start : start + size] for start in range(0, len(x), size))
    assert_moments_of(moments_of_stream(batches), x)


@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    features=st.integers(1, 12),
    drift=st.sampled_from([0.0, 1.0, 100.0]),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=60, deadline=None)
def test_any_split_in_any_order_by_any_tree_gives_the_same(sizes, features, drift, seed):
    generator = np.random.default_rng(seed)
    batches = [
        generator.normal(size=(size, features)) + drift * generator.normal(size=features)
        for size in sizes
    ]
    parts = [moments(batch) for batch in batches]
    x = np.concatenate(batches)
    for merged in (
        functools.reduce(merge_moments, parts),
        functools.reduce(merge_moments, parts[::-1]),
        functools.reduce(lambda right, left: merge_moments(left, right), parts[::-1]),
        merge_in_pairs(parts),
    ):
        assert_moments_of(merged, x, atol=1e-11)


def test_merging_is_associative_and_commutative():
    a, b, c = (moments(part) for part in np.split(DIGITS + 1e3, [5, 1000]))
    left, right = merge_moments(merge_moments(a, b), c), merge_moments(a, merge_moments(b, c))
    for other in (right, merge_moments(c, merge_moments(b, a))):
        np.testing.assert_allclose(left.mean, other.mean, rtol=1e-15)
        np.testing.assert_allclose(
            left.factor.T @ left.factor, other.factor.T @ other.factor, atol=1e-11
        )


def test_few_examples_of_many_features_have_the_right_shape_and_moments():
    """With a constant first feature the zero row of the triangle is not the last one."""
    x = np.random.default_rng(3).normal(size=(6, 20))
    x[:, 0] = 1.0
    assert_moments_of(moments_of_stream(np.split(x, [1, 2, 5])), x)


def test_it_agrees_with_scikit_learns_pca_and_incremental_pca():
    batches = np.array_split(DIGITS, 18)
    streamed = pca_of_moments(moments_of_stream(iter(batches)))
    incremental = IncrementalPCA(batch_size=100)
    for batch in batches:
        incremental.partial_fit(batch)
    for theirs in (PCA(svd_solver="full").fit(DIGITS), incremental):
        variances = theirs.explained_variance_ * (len(DIGITS) - 1) / len(DIGITS)
        np.testing.assert_allclose(streamed.eigenvalues, variances, atol=1e-10 * variances[0])
        cosines = np.abs(np.sum(streamed.components[:10] * theirs.components_[:10], axis=1))
        np.testing.assert_allclose(cosines, 1, rtol=0, atol=1e-12)


def test_a_large_offset_is_not_lost_to_cancellation_as_sums_of_squares_are():
    x = np.round(with_spectrum([9.0, 4.0, 1.0]) * 2**20) / 2**20
    merged = moments_of_stream(np.array_split(x + 2.0**20, 7))
    np.testing.assert_allclose(pca_of_moments(merged).eigenvalues, [9, 4, 1], rtol=1e-5)
    own = theory.pca(x).eigenvalues
    np.testing.assert_allclose(pca_of_moments(merged).eigenvalues, own, rtol=1e-8)
    raw = x + 2.0**20
    sums = raw.T @ raw / len(raw) - np.outer(raw.mean(axis=0), raw.mean(axis=0))
    assert np.abs(np.linalg.eigvalsh(sums)[::-1] / own - 1).max() > 1e-6


def test_processed_batches_use_no_memory():
    generator = np.random.default_rng(0)
    tracemalloc.start()
    try:
        data = moments_of_stream(generator.normal(size=(100, 20)) for _ in range(500))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert data.examples == 50_000
    assert peak < 50_000 * 20 * 8 / 20


@pytest.mark.parametrize(
    ("batches", "message"),
    [
        ([], "one batch or more, got none"),
        ([NORMAL, NORMAL[:, :5]], "same number of features, got 6 and 5"),
        ([NORMAL, NORMAL * np.nan], "finite"),
        ([NORMAL[0]], r"got shape \[6\]"),
        ([NORMAL, NORMAL[:0]], r"got shape \[0, 6\]"),
    ],
)
def test_bad_streams_are_refused_by_name(batches, message):
    with pytest.raises(ValueError, match=message):
        moments_of_stream(batches)


def test_they_hold_on_the_digits_and_their_controls_are_rejected():
    answers = streamed_moments(theory.pose(DIGITS, 10))
    assert verdicts(answers) == ["holds"] * 2
    for answer in answers:
        assert answer.residual <= answer.tolerance < 1e-10
        assert 0.5 < answer.control < 1.5  # a stream sorted by v_1 loses nearly all of λ_1


def test_the_theorems_on_the_optimum_have_the_same_verdicts_from_a_stream():
    problem = theory.pose(DIGITS, 10)
    merged = moments_of_stream(np.array_split(DIGITS, 9))
    streamed = problem._replace(moments=merged, pca=pca_of_moments(merged))
    for theorem in (theory.optimal_loss, theory.optimal_map):
        for whole, part in zip(theorem(problem), theorem(streamed), strict=True):
            assert part.verdict == whole.verdict == "holds"
            assert part.tolerance == pytest.approx(whole.tolerance, rel=1e-6)
            assert part.control == pytest.approx(whole.control, rel=1e-6)


def unweighted(first, second):
    merged = merge_moments(first, second)
    return merged._replace(mean=(first.mean + second.mean) / 2)


def shifted(first, second):
    merged = merge_moments(first, second)
    return merged._replace(mean=merged.mean + 1e-8)


def half_corrected(first, second):
    """Weight q instead of pq of the term δδᵀ between batches."""
    merged = merge_moments(first, second)
    p, q = first.examples / merged.examples, second.examples / merged.examples
    extra = q * np.sqrt(1 - p) * (second.mean - first.mean)
    return merged._replace(factor=np.linalg.qr(np.vstack([merged.factor, extra]), mode="r"))


@pytest.mark.parametrize(
    ("false", "expected"),
    [
        (unweighted, ["fails", "fails"]),
        (half_corrected, ["fails", "fails"]),
        (shifted, ["fails", "fails"]),
        (merge_moments, ["holds", "holds"]),
    ],
    ids=["unweighted mean", "wrong correction", "mean off by 1e-8", "right"],
)
def test_a_false_merge_fails(monkeypatch, false, expected):
    monkeypatch.setattr("aejax.theory.learning.streamed_moments.merge_moments", false)
    assert verdicts(streamed_moments(theory.pose(NORMAL, 3))) == expected


@pytest.mark.parametrize("change", [1 + 1e-9, 40 / 39])
def test_a_false_analysis_fails(change):
    problem = theory.pose(NORMAL, 3)
    false = problem.pca._replace(eigenvalues=problem.pca.eigenvalues * change)
    assert verdicts(streamed_moments(problem._replace(pca=false)))[1] == "fails"


CASES = {
    "repeated at k": (DATA["λ_3 = λ_4"], 3, ["holds", NO]),
    "repeated above k": (DATA["λ_1 = λ_2"], 3, ["holds"] * 2),
    "repeated, k = 1": (with_spectrum([5.0, 5.0, 3.0]), 1, ["holds", NO]),
    "rank < k": (DATA["rank 2"], 3, ["holds"] * 2),
    "rank = k": (DATA["rank 3"], 3, ["holds"] * 2),
    "m < n": (DATA["four examples"], 3, ["holds"] * 2),
    "m = 2 on an axis": (np.array([[1.0, 0, 0], [-1.0, 0, 0]]), 1, ["holds"] * 2),
    "constant feature": (DATA["first feature constant"], 3, ["holds"] * 2),
    "condition 1e12": (DATA["condition 1e12, 200 examples"], 3, ["holds"] * 2),
    "offset": (NORMAL + 1e4, 3, ["holds"] * 2),
    "spread lost to an offset": (1e-4 * NORMAL + 1e6, 3, [NO, NO]),
    "large": (1e8 * NORMAL, 3, ["holds"] * 2),
    "k = n": (NORMAL, 6, ["holds", NA]),
    "one feature": (DATA["one feature"], 1, ["holds", NA]),
    "one example": (DATA["one example"], 3, [NA, NA]),
    "constant data": (DATA["constant"], 3, [NA, NA]),
}


@pytest.mark.parametrize("name", CASES)
def test_the_verdicts_on_degenerate_data_are_right(name):
    x, code, expected = CASES[name]
    answers = streamed_moments(theory.pose(x, code))
    assert verdicts(answers) == expected, [str(answer) for answer in answers]
    for answer in answers:
        assert (answer.residual is None) == (answer.verdict != "holds")


@given(
    logs=st.lists(st.floats(-9, 0), min_size=6, max_size=6),
    power=st.floats(-8, 8),
    offset=st.sampled_from([0.0, 1.0, 1e3, 1e6]),
    code=st.integers(1, 5),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=30, deadline=None)
def test_no_spectrum_scale_or_offset_makes_it_fail(logs, power, offset, code, seed):
    x = with_spectrum(np.sort(10.0 ** np.array(logs))[::-1], seed=seed)
    for answer in streamed_moments(theory.pose(10.0**power * (x + offset), code)):
        assert answer.verdict != "fails", str(answer)


@pytest.mark.slow
def test_a_million_images_are_analysed_in_the_memory_of_a_few_thousand():
    """10⁶ × 784 (6.3 GB) drawn batch by batch; S is compared with sums on four random probes."""
    features, size, batches = 784, 8000, 125
    generator = np.random.default_rng(0)
    scales = np.concatenate([[8.0, 6.0, 5.0, 4.0, 3.0], np.linspace(1, 0.1, features - 5)])
    shift = generator.uniform(size=features)
    probes = generator.normal(size=(features, 4))
    sums, products = np.zeros(features), np.zeros((features, 4))

    def drawn():
        for _ in range(batches):
            x = generator.standard_normal((size, features), dtype=np.float32) * scales + shift
            sums[:] += x.sum(axis=0)
            products[:] += x.T @ (x @ probes)
            yield x

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tracemalloc.start()
    try:
        data = moments_of_stream(drawn())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024
    assert data.examples == 1_000_000
    assert peak < 400e6
    assert grown < 800e6
    mean = sums / 1e6
    np.testing.assert_allclose(data.mean, mean, atol=1e-12)
    expected = products / 1e6 - np.outer(mean, mean @ probes)
    np.testing.assert_allclose(data.factor.T @ (data.factor @ probes), expected, atol=1e-10)
    assert (np.abs(np.diagonal(pca_of_moments(data).components)[:5]) > 0.999).all()


@property_test(examples=15)
@given(offset=st.floats(-12, 12), sign=st.sampled_from([-1.0, 1.0]), seed=st.integers(0, 2**32 - 1))
def test_batches_that_drift_merge_exactly_at_any_offset(offset, sign, seed):
    """A mean at 10¹² has an error of 10⁻⁴ in float64; the merged components must not."""
    generator = np.random.default_rng(seed)
    x = generator.normal(size=(60, 4)) * [4, 3, 2, 1] + sign * 10.0**offset
    x = x[np.argsort(x[:, 0])]
    merged = pca_of_moments(moments_of_stream(np.split(x, [1, 7, 30, 59])))
    centred = x - x.mean(axis=0)
    centred = centred - centred.mean(axis=0)
    _, singular_values, components = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(merged.eigenvalues, singular_values**2 / 60, rtol=1e-12)
    np.testing.assert_allclose(np.abs(np.sum(merged.components * components, axis=1)), 1)
