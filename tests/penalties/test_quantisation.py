"""Penalties of quantised codes: entropies by enumeration, commitment, refusals.

The gradients of commitment and codebook are compared with PyTorch in tests/models.
"""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import softmax
from scipy.stats import entropy

import aejax
from aejax import losses, models, penalties

BITS = 5
BASE = aejax.dense((6, BITS), code_activation=jax.nn.identity)
X = jnp.asarray(np.random.default_rng(0).normal(size=(30, 6)))
PAIRS = [(1.0, 8), (0.3, 8), (1.0, 2)]


def value_of(model, penalty, params, x=X):
    objective = aejax.objective(model, losses.squared, penalties={"term": (1.0, penalty)})
    record = aejax.forward(objective, params, aejax.Batch(x), jax.random.key(0))
    return record, penalty(record)


@pytest.mark.parametrize(("temperature", "group"), PAIRS)
def test_the_entropy_of_bits_is_that_of_all_values_by_enumeration(temperature, group, x64):
    model = models.lookup_free_quantised(BASE, bits=BITS)
    params = model.init(jax.random.key(0))
    penalty = penalties.bit_entropy(temperature=temperature, diversity=0.7, group=group)
    record, found = value_of(model, penalty, params, jnp.asarray(X))
    z = np.asarray(record.code.continuous)
    certain = diverse = 0.0
    for start in range(0, BITS, group):
        part = z[:, start : start + group]
        values = np.array(list(product([-1, 1], repeat=part.shape[1])))
        distances = np.square(part[:, None] - values).sum(axis=2)
        p = softmax(-distances / temperature, axis=1)
        certain += entropy(p, axis=1).mean()
        diverse += entropy(p.mean(axis=0))
    assert float(found) == pytest.approx(certain - 0.7 * diverse, rel=1e-10)


def test_the_entropy_is_lowest_for_certain_and_equally_frequent_codes():
    def entropy_of(z):
        model = aejax.Autoencoder(lambda key: {}, lambda params, x: x, lambda params, code: code)
        model = models.lookup_free_quantised(model, bits=2)
        _, found = value_of(model, penalties.bit_entropy(), {}, jnp.asarray(z, jnp.float32))
        return float(found)

    diverse = 50 * np.array([[1, 1], [1, -1], [-1, 1], [-1, -1]])
    assert entropy_of(diverse) == pytest.approx(-2 * np.log(2), rel=1e-6)
    assert entropy_of(abs(diverse)) == pytest.approx(0, abs=1e-6)  # one code only
    assert entropy_of(0 * diverse) == pytest.approx(0, abs=1e-6)  # nothing is certain


def test_commitment_of_a_code_without_codebook_is_its_distance_from_the_signs():
    model = models.lookup_free_quantised(BASE, bits=BITS)
    params = model.init(jax.random.key(0))
    record, found = value_of(model, penalties.commitment(), params, X.astype(jnp.float32))
    z = np.asarray(record.code.continuous)
    expected = np.square(z - np.sign(z)).sum(axis=1)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_code_that_is_not_quantised_is_refused():
    params = BASE.init(jax.random.key(0))
    for penalty in (penalties.commitment(), penalties.bit_entropy()):
        with pytest.raises(ValueError, match=r"needs the code of models\.vector_quantised"):
            value_of(BASE, penalty, params, X.astype(jnp.float32))
    bits = models.lookup_free_quantised(BASE, bits=BITS)
    with pytest.raises(ValueError, match="needs the codebook"):
        value_of(bits, penalties.codebook(), params, X.astype(jnp.float32))


def test_a_part_of_the_code_is_selected():
    bits = models.lookup_free_quantised(BASE, bits=BITS)
    model = aejax.Autoencoder(
        bits.init,
        lambda params, x: {"bits": bits.encode(params, x), "other": x},
        lambda params, code: bits.decode(params, code["bits"]),
    )
    params, x = model.init(jax.random.key(0)), X.astype(jnp.float32)
    for make in (penalties.commitment, penalties.bit_entropy):
        _, alone = value_of(bits, make(), params, x)
        _, selected = value_of(model, make(select=lambda code: code["bits"]), params, x)
        np.testing.assert_array_equal(selected, alone)


def test_settings_out_of_range_are_refused():
    with pytest.raises(ValueError, match="temperature must lie in"):
        penalties.bit_entropy(temperature=0.0)
    with pytest.raises(ValueError, match=r"group must lie in \[1, 16\]"):
        penalties.bit_entropy(group=17)
