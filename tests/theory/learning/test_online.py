import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from aejax import losses, theory
from aejax.models import linear
from aejax.theory.analysis.moments import moments
from aejax.theory.learning.online import online_rules, run_rule
from aejax.theory.solvers.hebbian import hebbian_update, learn_online
from tests.theory.degenerate_data import DATA, DIGITS, X
from tests.theory.spectra import with_spectrum
from tests.theory.verdict_checks import verdicts

HOLDS = ["holds"] * 2
NO = "not identifiable"
NA = "not applicable"
ONES, UPPER = np.ones((3, 3)), np.triu(np.ones((3, 3)))


def update(kernel, rows, mask):
    with jax.enable_x64(True):
        return np.asarray(hebbian_update(*map(jnp.asarray, (kernel, rows, mask))))


def sines(kernel, components):
    """1 − cos² of the angle between each column and its component, both unit vectors."""
    units = kernel / np.linalg.norm(kernel, axis=0)
    return 1 - np.sum(units.T * components, axis=1) ** 2


@pytest.fixture(scope="module")
def certificates():
    return online_rules(theory.pose(DIGITS, 10))


def test_they_hold_on_the_digits_and_their_controls_are_rejected(certificates):
    assert verdicts(certificates) == HOLDS
    for certificate in certificates:
        assert certificate.residual <= certificate.tolerance < 1e-9
        assert certificate.control > 0.5
    assert certificates[0].control == pytest.approx(9, abs=0.1)  # ten units at ±v_1 instead of one


def test_the_averaged_rules_converge_to_scikit_learns_components():
    problem = theory.pose(X, 3)
    rows = PCA(3, svd_solver="full").fit(X).components_
    oja, sanger = (run_rule(problem, mask) for mask in (ONES, UPPER))
    assert oja.converged
    assert sanger.converged
    np.testing.assert_allclose(oja.kernel @ oja.kernel.T, rows.T @ rows, atol=1e-12)
    np.testing.assert_allclose(np.abs(rows @ sanger.kernel), np.eye(3), atol=1e-12)
    assert np.abs(np.abs(rows @ oja.kernel) - np.eye(3)).max() > 0.1


def test_independent_units_all_find_the_first_component():
    kernel = run_rule(theory.pose(X, 3), np.eye(3)).kernel
    first = PCA(1, svd_solver="full").fit(X).components_[0]
    np.testing.assert_allclose(np.abs(first @ kernel), 1, atol=1e-12)


def test_ojas_update_is_half_the_gradient_of_the_decoder_at_tied_weights():
    generator = np.random.default_rng(0)
    kernel, rows = generator.normal(size=(6, 3)), generator.normal(size=(5, 6))
    model = linear(6, 3, bias=False)

    def loss(decoder):
        params = {
            "encoder": {"layer_0": {"kernel": jnp.asarray(kernel)}},
            "decoder": {"layer_0": {"kernel": decoder}},
        }
        x = jnp.asarray(rows)
        return losses.squared_error(model.decode(params, model.encode(params, x)), x).sum()

    with jax.enable_x64(True):
        gradient = np.asarray(jax.grad(loss)(jnp.asarray(kernel.T)))
    np.testing.assert_allclose(update(kernel, rows, ONES), -gradient.T / 2, rtol=1e-12)


def test_sangers_update_uses_the_residual_of_the_preceding_units():
    """Sanger's formula for one example, Δw_j = y_j (x − Σ_{i≤j} y_i w_i), in a loop."""
    generator = np.random.default_rng(1)
    kernel, rows = generator.normal(size=(6, 3)), generator.normal(size=(5, 6))
    expected = np.zeros((6, 3))
    for x in rows:
        y = x @ kernel
        for j in range(3):
            expected[:, j] += y[j] * (x - kernel[:, : j + 1] @ y[: j + 1])
    np.testing.assert_allclose(update(kernel, rows, UPPER), expected, rtol=1e-10, atol=1e-12)


def test_the_factor_gives_the_mean_update_of_the_examples():
    kernel = np.random.default_rng(2).normal(size=(6, 3))
    each = [update(kernel, row[None], UPPER) for row in X - X.mean(axis=0)]
    averaged = update(kernel, moments(X).factor, UPPER)
    np.testing.assert_allclose(averaged, np.mean(each, axis=0), atol=1e-12)


def test_errors_decay_at_the_rates_of_the_docstring():
    """The Jacobian of the averaged rule at ±v_i, whose eigenvalues are minus those rates."""
    s = np.array([6.0, 4.0, 2.0, 1.0, 0.5, 0.25])
    rows, columns = np.diag(np.sqrt(s)), np.eye(6)[:, :3]
    with jax.enable_x64(True):
        jacobian = jax.jacobian(hebbian_update)(*map(jnp.asarray, (columns, rows, UPPER)))
        oja = jax.jacobian(hebbian_update)(*map(jnp.asarray, (columns, rows, ONES)))
    rates = [
        s[j] - s[r] if r > j else s[j] if r < j else 2 * s[j] for j in range(3) for r in range(6)
    ]
    found = -np.linalg.eigvals(np.asarray(jacobian).reshape(18, 18)).real
    np.testing.assert_allclose(np.sort(found), np.sort(rates), atol=1e-6)
    rates = [s[j] - s[r] for j in range(3) for r in range(3, 6)]
    rates += [s[i] + s[j] for i in range(3) for j in range(i + 1)] + [0, 0, 0]
    found = -np.linalg.eigvals(np.asarray(oja).reshape(18, 18)).real
    np.testing.assert_allclose(np.sort(found), np.sort(rates), atol=1e-6)


def test_a_false_order_is_unstable():
    columns = np.eye(6)[:, [1, 0, 2]] + 1e-6
    assert update(columns, np.diag(np.sqrt([6.0, 4.0, 2.0, 1.0, 0.5, 0.25])), UPPER)[0, 0] > 1e-6


def stream(batches, *, seed=0, size=20):
    """A Gaussian of variances 6, 4, 2, 1, ½, ¼ about a mean that is not zero."""
    generator = np.random.default_rng(seed)
    scales = np.sqrt([6.0, 4.0, 2.0, 1.0, 0.5, 0.25])
    return (generator.normal(size=(size, 6)) * scales + np.arange(6.0) for _ in range(batches))


def test_a_stream_learns_the_components_in_order_and_the_error_falls_with_its_length():
    key, axes = jax.random.key(0), np.eye(6)[:3]
    errors = {}
    for batches in (300, 3000):
        params = learn_online(key, stream(batches), 3, horizon=20.0)
        kernel = np.asarray(params["encoder"]["layer_0"]["kernel"])
        errors[batches] = sines(kernel, axes).max()
        np.testing.assert_allclose(params["decoder"]["layer_0"]["bias"], np.arange(6.0), atol=0.2)
    assert errors[3000] < 5e-3
    assert errors[3000] < errors[300] / 3


def test_a_stream_under_ojas_rule_learns_the_subspace_without_the_order():
    key = jax.random.key(0)
    params = learn_online(key, stream(3000), 3, horizon=20.0, ordered=False)
    kernel = np.asarray(params["encoder"]["layer_0"]["kernel"])
    np.testing.assert_allclose(kernel @ kernel.T, np.diag([1, 1, 1, 0, 0, 0]), atol=0.1)
    assert sines(kernel, np.eye(6)[:3]).max() > 0.1


def test_a_stream_of_single_examples_is_learned_and_its_params_fit_the_model():
    params = learn_online(jax.random.key(1), stream(3000, size=1), 2, horizon=20.0)
    kernel = np.asarray(params["encoder"]["layer_0"]["kernel"])
    assert sines(kernel, np.eye(6)[:2]).max() < 0.05
    with jax.enable_x64(True):
        model, x = linear(6, 2), jnp.asarray(X)
        x_hat = np.asarray(model.decode(params, model.encode(params, x)))
    mean = np.asarray(params["decoder"]["layer_0"]["bias"])
    np.testing.assert_allclose(x_hat, mean + (X - mean) @ kernel @ kernel.T, atol=1e-12)
    assert kernel.dtype == np.float64


def test_a_constant_stream_changes_nothing_and_an_empty_one_is_refused():
    params = learn_online(jax.random.key(0), [np.ones((4, 3))] * 5, 2, horizon=1.0)
    kernel = np.asarray(params["encoder"]["layer_0"]["kernel"])
    np.testing.assert_allclose(kernel.T @ kernel, np.eye(2), atol=1e-12)
    with pytest.raises(ValueError, match="one batch or more, got none"):
        learn_online(jax.random.key(0), [], 2, horizon=1.0)
    with pytest.raises(ValueError, match="finite"):
        learn_online(jax.random.key(0), [X, X * np.nan], 2, horizon=1.0)


@pytest.mark.parametrize(
    ("components", "expected"),
    [
        (lambda rows: rows[::-1], ["fails", "fails"]),
        (lambda rows: rows[[0, 1, 3, 2, 4, 5]], ["fails", "fails"]),
        (lambda rows: rows[[1, 0, 2, 3, 4, 5]], ["holds", "fails"]),  # a subspace has no order
        (lambda rows: -rows, HOLDS),
        (lambda rows: rows + 1e-9, ["fails", "fails"]),
    ],
    ids=["reversed", "swapped at k", "swapped above k", "other signs", "off by 1e-9"],
)
def test_a_false_analysis_fails(components, expected):
    problem = theory.pose(X, 3)
    false = problem.pca._replace(components=components(problem.pca.components))
    assert verdicts(online_rules(problem._replace(pca=false))) == expected


def test_ojas_rule_in_the_place_of_sangers_fails(monkeypatch):
    def always_oja(problem, mask, **options):
        return run_rule(problem, np.ones_like(mask), **options)

    monkeypatch.setattr("aejax.theory.learning.online.run_rule", always_oja)
    assert verdicts(online_rules(theory.pose(X, 3))) == [NO, "fails"]  # Oja's control is Oja's


@pytest.mark.parametrize("mask", [ONES, UPPER], ids=["oja", "sanger"])
def test_momentum_converges_to_the_same_limit_in_fewer_steps(mask):
    problem = theory.pose(with_spectrum([5.0, 4.0, 3.0, 2.95, 2.0, 1.0]), 3)
    alone, hurried = (run_rule(problem, mask, momentum=most) for most in (0.0, 1.0))
    assert alone.converged
    assert hurried.converged
    assert hurried.steps < alone.steps / 8
    maps = [each.kernel @ each.kernel.T for each in (alone, hurried)]
    np.testing.assert_allclose(*maps, atol=1e-11)


def test_a_gap_too_small_for_plain_steps_is_resolved_with_momentum():
    """The rate is √(η gap) instead of η gap: 30 000 steps resolve a gap of 10⁻⁵, not of 10⁻⁶."""
    for gap, verdict in ((1e-1, "holds"), (2e-4, "holds"), (1e-6, NO)):
        x = with_spectrum([5.0, 4.0, 3.0, 3 - 5 * gap, 2.0, 1.0])
        for answer in online_rules(theory.pose(x, 3)):
            assert answer.verdict == verdict, str(answer)
            assert answer.reason.endswith("with momentum") == (gap == 2e-4)


def test_a_rule_stopped_early_is_not_identifiable_rather_than_false(monkeypatch):
    def stopped(problem, mask, **_):
        return run_rule(problem, mask, max_steps=5)

    monkeypatch.setattr("aejax.theory.learning.online.run_rule", stopped)
    answers = online_rules(theory.pose(X, 3))
    assert verdicts(answers) == [NO, NO]
    assert all("the rule had not converged after 5 steps" in answer.reason for answer in answers)


CASES = {
    "repeated at k": (DATA["λ_3 = λ_4"], 3, [NO, NO]),
    "nearly repeated at k": (with_spectrum([5.0, 4.0, 3.0, 3 - 1e-5, 2.0, 1.0]), 3, [NO, NO]),
    "repeated above k": (DATA["λ_1 = λ_2"], 3, ["holds", NO]),
    "repeated below k": (DATA["λ_4 = λ_5 = λ_6"], 3, HOLDS),
    "rank < k": (DATA["rank 2"], 3, [NO, NO]),
    "rank = k": (DATA["rank 3"], 3, HOLDS),
    "m < n": (DATA["four examples"], 2, HOLDS),
    "m - 1 = k": (DATA["four examples"], 3, HOLDS),
    "k = 1": (X, 1, ["holds", NA]),
    "m = 2, k = 1": (DATA["two examples"], 1, ["holds", NA]),
    "constant feature": (DATA["first feature constant"], 3, HOLDS),
    "condition 1e12": (DATA["condition 1e12, 200 examples"], 3, HOLDS),
    "condition 1e12, k = 5": (
        DATA["condition 1e12, 200 examples"],
        5,
        [NO, NO],
    ),
    "large": (DATA["regular, huge unit"], 3, HOLDS),
    "offset": (X + 1e4, 3, HOLDS),
    "k = n": (X, 6, [NA, NA]),
    "one example": (DATA["one example"], 3, [NA, NA]),
    "constant data": (DATA["constant"], 3, [NA, NA]),
}


@pytest.mark.parametrize("name", CASES)
def test_the_verdicts_on_degenerate_data_are_right(name):
    x, code, expected = CASES[name]
    answers = online_rules(theory.pose(x, code))
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
    for answer in online_rules(theory.pose(10.0**power * (x + offset), code)):
        assert answer.verdict != "fails", str(answer)


def test_the_reason_states_the_gap_and_the_required_steps():
    x, code, _ = CASES["nearly repeated at k"]
    for answer in online_rules(theory.pose(x, code)):
        assert "eigengap/λ_1 = 2.0e-06: the rule needs" in answer.reason


def test_a_gap_that_needs_too_much_work_is_refused_before_the_run(monkeypatch):
    monkeypatch.setattr("aejax.theory.learning.online.MAX_WORK", 2 * 36 * 3 * 100)
    oja, sanger = online_rules(theory.pose(X, 3))
    assert oja.verdict == sanger.verdict == NO
    assert oja.residual is sanger.residual is None
    assert "steps, the maximum is 100" in oja.reason


def test_the_precision_of_the_caller_is_unchanged():
    online_rules(theory.pose(X, 3))
    learn_online(jax.random.key(0), [X], 2, horizon=1.0)
    assert jnp.zeros(1).dtype == jnp.float32
