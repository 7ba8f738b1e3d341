"""Tolerances and controls against their formulas, on data with a known spectrum."""

import numpy as np
import pytest

from aejax import theory
from aejax.theory.checking import tolerances
from tests.theory.spectra import with_spectrum
from tests.theory.units import assert_no_number_changes

SPECTRUM = np.array([8.0, 4.0, 1.0, 0.5, 0.25, 0.125])
MEAN = np.arange(6.0)
X = with_spectrum(SPECTRUM) + MEAN
EXAMPLES, FEATURES, CODE = 40, 6, 3
KEPT, LEFT, TOTAL = SPECTRUM[:CODE], SPECTRUM[CODE:].sum(), SPECTRUM.sum()
SIGMA = np.sqrt(SPECTRUM)

EPSILON = 2.0**-52
LENGTH = np.sqrt(TOTAL + MEAN @ MEAN)  # ‖x‖_F/√m
RHO = EPSILON * ((np.sqrt(EXAMPLES * FEATURES) + 50) * SIGMA[0] + LENGTH)
PASS = RHO + EPSILON * np.sqrt(FEATURES) * LENGTH
STOP = 1e-12  # gradient norm at which training stops, for Σλ = 1
GRADIENT = STOP + 8 * EPSILON * (FEATURES + 50) * SIGMA[0] / np.sqrt(TOTAL)

LOSS = (2 * np.sqrt(LEFT) * PASS + PASS**2) / LEFT
BOUND = LOSS + EPSILON * np.sqrt(EXAMPLES * FEATURES) * TOTAL / LEFT
GAP = SIGMA[CODE - 1] - SIGMA[CODE]
EIGENGAP = SPECTRUM[CODE - 1] - SPECTRUM[CODE]
EXCESS = EPSILON * LEFT + RHO**2 + 10 * TOTAL * STOP**2 * TOTAL / SPECTRUM[-1]

DECAY = SPECTRUM[CODE - 1] / 2  # μ, half of λ_k
LOST = SPECTRUM[None, CODE:]
TILT = (KEPT[:, None] - LOST) * (LOST + DECAY) / (KEPT[:, None] + LOST + DECAY)
CURVATURE = min(TILT.min(), 2 * DECAY) / TOTAL
PENALISED = LEFT + np.sum(2 * DECAY - DECAY**2 / KEPT)
SHRUNK = LEFT + np.sum(KEPT * DECAY / (KEPT + DECAY))
VANISHING = np.sqrt(SPECTRUM[1] * SPECTRUM[2])  # μ, the geometric mean of λ_2 and λ_3
GAINS = KEPT / (KEPT + DECAY)
ROOTS = SPECTRUM / np.sqrt(SPECTRUM + DECAY)
RIDGE = FEATURES * EPSILON * SPECTRUM[0] / DECAY
DAMPED = LEFT + np.sum(KEPT * KEPT[-1] / (KEPT + KEPT[-1]))
ENERGY = TOTAL + np.sqrt(TOTAL + FEATURES * KEPT[-1]) * np.sqrt(TOTAL)

WEIGHT = min(2 * np.sqrt(KEPT[0] * KEPT[-1]), KEPT[0])  # weight of the contractive penalty
STRETCHED = LEFT + CODE * WEIGHT
GAINS_TIED, GAINS_UNTIED = (np.maximum(0, 1 - weight / KEPT) for weight in (WEIGHT / 2, WEIGHT))
TIED = LEFT + np.sum(KEPT * (1 - GAINS_TIED) ** 2 + WEIGHT * GAINS_TIED)
SLOPE = 2 * np.sqrt(GAINS_UNTIED) * (WEIGHT - 2 * KEPT * (1 - GAINS_UNTIED))  # ∂J at √g V_k

CORRELATED = np.linalg.eigvalsh(np.corrcoef(X, rowvar=False))[::-1]  # for unit variances
NOISY = np.sqrt(0.75**2 * CORRELATED + 0.25 * 0.75)
FIT = 0.75 * CORRELATED / NOISY  # singular values under masks of rate a quarter
MASKED = EPSILON * (np.sqrt(72) + 50) * np.sqrt(CORRELATED[0]) * (3 + NOISY[0] / np.sqrt(3 / 16))

UNIT = SPECTRUM / TOTAL
NOISE = LEFT / TOTAL / (FEATURES - CODE)  # variance of the noise of probabilistic PCA
FACTOR = 8 * EPSILON * (FEATURES + 50) * np.sqrt(FEATURES)  # for the triangular T of x
SIZE = EPSILON * (np.sqrt(EXAMPLES * FEATURES + FEATURES**2) + 50)

CODE_GAPS = -np.diff(SPECTRUM[: CODE + 1]).max() / SPECTRUM[0]
RULE = 16 * EPSILON * np.sqrt(FEATURES * CODE)
ONLINE = 4 * RULE + 4 * RHO / SIGMA[0]
STREAM = RHO + EPSILON * 4 * (np.sqrt(3) * FEATURES * SIGMA[0] + LENGTH)

TOLERANCES = {
    "optimal_loss": [LOSS, BOUND],
    "optimal_map": [3 * RHO / GAP],
    "gradient_training": [LOSS + EXCESS / LEFT, np.sqrt(3 * EXCESS / EIGENGAP)],
    "code_invariance": [4 * PASS / np.sqrt(TOTAL)],
    "free_biases": [5 * PASS / GAP],
    "tied_weights": [
        GRADIENT * TOTAL / (2 * KEPT[-1]),
        GRADIENT * TOTAL * (1 / (2 * KEPT[-1]) + 1 / EIGENGAP),
    ],
    "sum_regularisation": [
        (2 * np.sqrt(PENALISED) * PASS + PASS**2 + 10 * TOTAL * GRADIENT**2 / CURVATURE)
        / PENALISED,
        2 * GRADIENT * TOTAL / DECAY,
        4 * GRADIENT * TOTAL / DECAY,
        4 * GRADIENT * TOTAL / np.abs(KEPT - VANISHING).min(),
    ],
    "product_regularisation": [
        3 * RIDGE * np.sqrt(DECAY) / (ROOTS[CODE - 1] - ROOTS[CODE]) + RIDGE + FEATURES * EPSILON,
        (2 * np.sqrt(SHRUNK) * 4 * PASS + (4 * PASS) ** 2) / SHRUNK
        + 16 * EPSILON * np.sqrt(FEATURES),
    ],
    "principal_components": [
        9 * PASS / -np.diff(SIGMA[: CODE + 1]).max(),
        2 * GRADIENT * TOTAL / TILT.min()
        + 2 * GRADIENT * TOTAL / (2 * DECAY * -np.diff(1 - DECAY / KEPT, append=0).max())
        + 2 * EPSILON * np.sqrt(240 * TOTAL) / -np.diff(SIGMA[: CODE + 1]).max(),
    ],
    "gaussian_denoising": [2 * EPSILON * (np.sqrt(12 * 6 + 240) + 50) * ENERGY / DAMPED] * 2,
    "masking_denoising": [None, MASKED / (FIT[CODE - 1] - FIT[CODE])],
    "learning_dynamics": [None, None, 8 * EPSILON * np.sqrt(36) * CODE],
    "contractive_optimum": [
        4 * EPSILON * (np.sqrt(240 + 36) + 50) * (1 + WEIGHT / TOTAL * CODE) / (loss / TOTAL)
        for loss in (STRETCHED, TIED)
    ],
    "streamed_moments": [4 * STREAM / SIGMA[0], 8 * STREAM / SIGMA[0] * SIGMA[CODE - 1] / GAP],
    "online_rules": [ONLINE * SPECTRUM[0] / EIGENGAP, ONLINE / CODE_GAPS],
    "single_precision": [
        2 * np.finfo(np.float32).eps * np.sqrt(FEATURES) * LENGTH / np.sqrt(TOTAL)
    ],
    "probabilistic_pca": [FACTOR * (1 + np.sqrt(UNIT[0] / NOISE)), None],
    "linear_vae": [FACTOR * (1 + np.sqrt(UNIT[0] / NOISE))] * 2,
    "posterior_collapse": [FACTOR * (1 + np.sqrt(2 * UNIT[0] / UNIT[1]))] * 2,
    "rate_distortion": [4 * SIZE * (np.sqrt(FEATURES) + 1 / UNIT[CODE])] * 2,
    "wasserstein_autoencoder": [
        None,
        8 * SIZE * (1 + np.sqrt(UNIT[:CODE].sum()) / UNIT[CODE - 1]),
    ],
}

CONTROLS = {
    "optimal_loss": [KEPT[-1] / LEFT, KEPT[-1] / LEFT],
    "optimal_map": [1],
    "gradient_training": [KEPT[-1] / LEFT, 1],
    "tied_weights": [15, 1],
    "sum_regularisation": [
        (LEFT + 2 * DECAY * CODE - PENALISED) / PENALISED,
        None,
        np.max(GAINS - (1 - DECAY / KEPT)),
        np.max(KEPT / (KEPT + VANISHING) - np.maximum(0, 1 - VANISHING / KEPT)),
    ],
    "product_regularisation": [np.max(GAINS - (1 - DECAY / KEPT)), None],
    "gaussian_denoising": [
        (LEFT + KEPT[-1] * CODE - DAMPED) / DAMPED,
        KEPT[-1] / 2 / DAMPED,
    ],
    "contractive_optimum": [None, np.linalg.norm(SLOPE) / TIED],
    "linear_vae": [CODE * (1 - np.log(2)) / 2],
    "wasserstein_autoencoder": [None, np.sum((np.sqrt(UNIT[:CODE]) - 2) ** 2)],
}

TESTED_ELSEWHERE = (  # theorems that compile slowly, tested in the files that compile them
    "ordered_recovery",
    "course_conditions",
    "landscape_index",
    "critical_point_search",
    "sampled_denoising",
    "encoders_bounded_by_pca",
    "variational_landscape",
)


LOW_RANK = theory.pose(with_spectrum([3.0, 2.0, 1.0], features=5) + np.arange(5.0), 2)


@pytest.fixture(scope="module", params=sorted(TOLERANCES))
def answered(request):
    return request.param, theory.THEOREMS[request.param](theory.pose(X, CODE))


def test_tolerances_follow_their_formulas(answered):
    name, certificates = answered
    for certificate, tolerance in zip(certificates, TOLERANCES[name], strict=False):
        if tolerance is not None:
            expected = pytest.approx(tolerance, rel=1e-6, abs=0)  # abs=0, as the default is 1e-12
            assert certificate.tolerance == expected, certificate.claim


def test_residuals_of_controls_follow_from_the_spectrum(answered):
    name, certificates = answered
    for certificate, control in zip(certificates, CONTROLS.get(name, ()), strict=False):
        if control is not None:
            assert certificate.control == pytest.approx(control, rel=1e-6), certificate.claim


@pytest.mark.parametrize("name", [name for name in theory.THEOREMS if name not in TESTED_ELSEWHERE])
def test_results_do_not_depend_on_the_unit(name):
    assert_no_number_changes(theory.THEOREMS[name], X, CODE)


def test_unit_data_have_a_total_variance_of_one():
    assert np.linalg.norm(tolerances.unit_factor(LOW_RANK)) == pytest.approx(1)
    expected = [1 / 2, 1 / 3, 1 / 6, 0, 0]
    np.testing.assert_allclose(tolerances.unit_eigenvalues(LOW_RANK), expected, atol=1e-14)


def test_gradient_tolerances_follow_their_formulas():
    assert tolerances.gradient_stop(LOW_RANK) == 1e-12
    far = theory.pose(LOW_RANK.x + 1e5, 2)
    length = np.sqrt(np.mean(np.sum(far.x**2, axis=1)))
    stored = 8 * 2.0**-52 * length / np.sqrt(6)
    assert tolerances.gradient_stop(far) == pytest.approx(stored, rel=1e-9, abs=0)
    rounding = 8 * 2.0**-52 * (np.sqrt(25) + 50) * np.sqrt(3 / 6)
    assert tolerances.gradient_rounding(LOW_RANK) == pytest.approx(rounding, rel=1e-9, abs=0)
    whole = pytest.approx(stored + rounding, rel=1e-6, abs=0)
    assert tolerances.gradient_error(far) == whole
