import json

import jax
import numpy as np
import pytest

from aejax import theory
from aejax.theory.checking.certificate import Evidence, Statement, Tolerance, certify
from aejax.theory.optimum.invariance import change_code, invertible_matrix
from tests.theory import first
from tests.theory.degenerate_data import DIGITS, X
from tests.theory.verdict_checks import verdicts

ALL = range(6)


@pytest.fixture(scope="module")
def certificates():
    return first.certificates(DIGITS, 10)


def test_every_theorem_holds_on_the_digits(certificates):
    assert verdicts(certificates) == ["holds"] * 6


def test_closed_forms_are_within_1e_8_and_trained_maps_within_1e_6(certificates):
    caps = [1e-8, 1e-8, 1e-8, 1e-8, 1e-6, 1e-8]
    for certificate, cap in zip(certificates, caps, strict=True):
        assert certificate.residual <= certificate.tolerance <= cap


@pytest.mark.parametrize("i", ALL)
def test_every_control_is_rejected_by_the_rule_that_accepts_the_statement(certificates, i):
    certificate = certificates[i]
    statement = Statement(certificate.claim, certificate.formula, certificate.source)
    swapped = certify(
        statement,
        Tolerance(certificate.tolerance, 1e-6, ""),
        lambda: Evidence(residual=certificate.control, control=certificate.residual),
    )
    assert swapped.verdict == "fails"
    assert certificate.control > 1e4 * certificate.tolerance


def test_the_controls_have_the_errors_of_their_false_statements(certificates):
    """A code without component 10, a subspace with component k + 1 for k, a transposed inverse."""
    eigenvalues = theory.pca(DIGITS).eigenvalues
    lacking = eigenvalues[9] / eigenvalues[10:].sum()
    controls = [certificate.control for certificate in certificates]
    assert controls[:5] == pytest.approx([lacking, lacking, 1.0, lacking, 1.0], rel=1e-6)
    kept = np.sqrt(eigenvalues[:10].sum() / eigenvalues.sum())
    assert 3 * kept < controls[5] < 15 * kept  # GGᵀ − I has eigenvalues from 3 to 15


def test_they_are_written_as_json_objects_with_the_fields_of_verify(certificates):
    written = json.loads(json.dumps([c._asdict() for c in certificates], allow_nan=False))
    assert {tuple(item) for item in written} == {theory.Certificate._fields}
    assert len({item["claim"] for item in written}) == 6


def rotated(analysis, angle):
    """PCA with its third component rotated towards the fourth."""
    components = analysis.components.copy()
    third, fourth = components[2].copy(), components[3].copy()
    components[2] = np.cos(angle) * third + np.sin(angle) * fourth
    components[3] = np.cos(angle) * fourth - np.sin(angle) * third
    return analysis._replace(components=components)


FALSE_ANALYSES = {
    "divided by m - 1": lambda a: a._replace(eigenvalues=a.eigenvalues * 40 / 39),
    "not squared": lambda a: a._replace(eigenvalues=np.sqrt(a.eigenvalues)),
    "shifted by one": lambda a: a._replace(eigenvalues=np.append(a.eigenvalues[1:], 0)),
    "off by 1e-10": lambda a: a._replace(eigenvalues=a.eigenvalues * (1 + 1e-10)),
    "rotated by 1e-4": lambda a: rotated(a, 1e-4),
    "swapped": lambda a: rotated(a, np.pi / 2),
    "uncentred": lambda a: theory.pca(np.r_[X, -X])._replace(mean=0 * a.mean),
    "another mean": lambda a: a._replace(mean=a.mean + 1e-3),
}


@pytest.mark.parametrize(
    ("false", "theorem", "expected"),
    [
        ("divided by m - 1", theory.optimal_loss, ["fails", "holds"]),
        ("not squared", theory.optimal_loss, ["fails", "holds"]),
        ("shifted by one", theory.optimal_loss, ["fails", "fails"]),
        ("off by 1e-10", theory.optimal_loss, ["fails", "holds"]),
        ("rotated by 1e-4", theory.optimal_loss, ["fails", "fails"]),
        ("swapped", theory.optimal_loss, ["fails", "fails"]),
        ("uncentred", theory.optimal_loss, ["holds", "fails"]),
        ("another mean", theory.optimal_loss, ["fails", "fails"]),
        ("rotated by 1e-4", theory.optimal_map, ["fails"]),
        ("swapped", theory.optimal_map, ["fails"]),
        ("uncentred", theory.optimal_map, ["fails"]),
        ("divided by m - 1", theory.gradient_training, ["fails", "holds"]),
        ("off by 1e-10", theory.gradient_training, ["fails", "holds"]),
        ("rotated by 1e-4", theory.gradient_training, ["holds", "fails"]),
        ("swapped", theory.gradient_training, ["holds", "fails"]),
        ("uncentred", theory.gradient_training, ["fails", "fails"]),
    ],
)
def test_a_false_analysis_fails(false, theorem, expected):
    """The bound on the loss allows thresholds from λ_{k+1} to λ_k, so some false PCAs pass it."""
    problem = theory.pose(X, 3)
    assert set(verdicts(theorem(problem))) == {"holds"}
    falsified = problem._replace(pca=FALSE_ANALYSES[false](problem.pca))
    assert verdicts(theorem(falsified)) == expected


def test_training_stopped_early_is_not_identifiable_rather_than_false(monkeypatch):
    def stopped(key, data, code, **_):
        return theory.train_linear(key, data, code, max_steps=5)

    monkeypatch.setattr("aejax.theory.optimum.gradient.train_linear", stopped)
    answers = theory.gradient_training(theory.pose(X, 3))
    assert verdicts(answers) == ["not identifiable"] * 2
    assert all("training had not converged after 5 steps" in answer.reason for answer in answers)


def test_a_trained_map_bounds_the_angle_of_its_decoder():
    problem = theory.pose(X, 3)
    _, trained_map = theory.gradient_training(problem)
    solution = theory.train_linear(problem.key, problem.moments, 3)
    rows, _ = np.linalg.qr(np.asarray(solution.params["decoder"]["layer_0"]["kernel"]).T)
    principal = problem.pca.components[:3].T
    sine = np.linalg.norm(rows - principal @ (principal.T @ rows), ord=2)
    assert sine <= trained_map.residual * 1.001 + 1e-12


def test_a_change_of_code_changes_the_code_and_must_be_undone():
    with jax.enable_x64(True):
        change = invertible_matrix(jax.random.key(5), 3)
        params = {
            "encoder": {"layer_0": {"kernel": np.eye(3), "bias": np.arange(3.0)}},
            "decoder": {"layer_0": {"kernel": np.eye(3), "bias": np.ones(3)}},
        }
        changed = change_code(params, change, jax.numpy.linalg.inv(change))
    change, changed = jax.tree.map(np.asarray, (change, changed))
    encoder, decoder = changed["encoder"]["layer_0"], changed["decoder"]["layer_0"]
    np.testing.assert_allclose(np.linalg.svd(change)[1], [4, 2 * np.sqrt(2), 2])
    np.testing.assert_array_equal(encoder["kernel"], change)
    np.testing.assert_allclose(encoder["bias"], np.arange(3.0) @ change)
    np.testing.assert_allclose(encoder["bias"] @ decoder["kernel"], np.arange(3.0), atol=1e-12)
    np.testing.assert_array_equal(decoder["bias"], np.ones(3))


def test_theorems_selected_by_name_give_the_same_certificates_as_all_together():
    together = first.certificates(X, 3)
    alone = [first.certificates(X, 3, theorems=(name,)) for name in first.FIRST]
    assert [len(answers) for answers in alone] == [2, 1, 2, 1]
    assert sum(alone, ()) == together
    chosen = first.certificates(X, 3, theorems=("code_invariance", "optimal_map"))
    assert chosen == alone[3] + alone[1]


def test_an_unknown_theorem_is_refused_with_the_known_names():
    with pytest.raises(
        ValueError, match=r"no theorem fermat; there are course_conditions, optimal_loss"
    ):
        first.certificates(X, 3, theorems=("optimal_loss", "fermat"))


@pytest.mark.parametrize("code", [0, -2])
def test_a_code_below_one_is_refused(code):
    with pytest.raises(ValueError, match=f"code must be at least 1, got {code}"):
        first.certificates(X, code)


def test_the_key_decides_the_draws_and_no_verdict():
    once, again, other = (first.certificates(X, 3, key=jax.random.key(k)) for k in (1, 1, 2))
    assert once == again
    assert once != other
    assert verdicts(once) == verdicts(other) == ["holds"] * 6
    assert first.certificates(X, 3) == first.certificates(X, 3, key=jax.random.key(0))


def test_neither_the_data_nor_the_precision_of_the_caller_is_changed():
    x = X.copy()
    first.certificates(x, 3)
    np.testing.assert_array_equal(x, X)
    assert jax.numpy.zeros(1).dtype == np.float32


def test_a_caller_with_x64_on_gets_the_same(x64):
    assert verdicts(first.certificates(X, 3)) == ["holds"] * 6
    assert jax.numpy.zeros(1).dtype == np.float64
