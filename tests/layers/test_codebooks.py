"""Nearest codewords and residual quantisation, compared with NumPy and SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.cluster.vq import vq

from aejax.layers import codebooks

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(50,), (10, 3, 4)])
def test_nearest_codewords_are_scipys_at_any_positions(shape, x64):
    z, codebook = RANDOM.normal(size=(*shape, 5)), RANDOM.normal(size=(12, 5))
    expected, _ = vq(z.reshape(-1, 5), codebook)
    found = codebooks.nearest_codewords(jnp.asarray(z), jnp.asarray(codebook))
    np.testing.assert_array_equal(found, expected.reshape(shape))
    assert len(np.unique(found)) > 5


def test_of_equally_distant_codewords_the_first_is_chosen():
    codebook = jnp.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    z = jnp.array([[0.5, 0.5], [2.0, 0.0], [0.0, 2.0]])
    np.testing.assert_array_equal(codebooks.nearest_codewords(z, codebook), [0, 0, 1])


def residual_code(z: np.ndarray, tables: np.ndarray) -> tuple[list, list, list]:
    """Residuals, entries and indices of each level, by brute force."""
    residuals, entries, indices = [], [], []
    for table in tables:
        residuals.append(z)
        indices.append(np.square(z[..., None, :] - table).sum(axis=-1).argmin(axis=-1))
        entries.append(table[indices[-1]])
        z = z - entries[-1]
    return residuals, entries, indices


def test_residual_quantisation_and_its_levels_are_a_loop_over_the_tables(x64):
    z, tables = RANDOM.normal(size=(20, 3, 4)), RANDOM.normal(size=(3, 6, 4))
    residuals, entries, indices = residual_code(z, tables)
    params = {"codebook": jnp.asarray(tables)}
    code = codebooks.quantise(params, jnp.asarray(z))
    np.testing.assert_array_equal(code.indices, np.stack(indices, axis=-1))
    np.testing.assert_allclose(code.quantised, sum(entries), atol=1e-12)
    np.testing.assert_allclose(codebooks.codewords_of(params, code.indices), code.quantised)
    levels = codebooks.levels_of({"quantiser": params}, code)
    np.testing.assert_allclose(levels.residuals, residuals, atol=1e-12)
    np.testing.assert_array_equal(levels.entries, entries)


def test_the_straight_through_code_is_the_codeword_with_the_gradient_of_the_encoder():
    z, codebook = RANDOM.normal(size=(9, 2)).astype("float32"), RANDOM.normal(size=(4, 2)) / 3
    codebook = codebook.astype("float32")

    def function(z, codebook):
        code = codebooks.quantise({"codebook": codebook}, z)
        return jnp.sum(jnp.sin(codebooks.straight_through_code(code))), code

    (_, code), gradient = jax.value_and_grad(function, argnums=(0, 1), has_aux=True)(z, codebook)
    np.testing.assert_array_equal(codebooks.straight_through_code(code), codebook[code.indices])
    np.testing.assert_allclose(gradient[0], np.cos(codebook[code.indices]), rtol=1e-6)
    assert not gradient[1].any()


def test_a_model_without_a_codebook_is_refused():
    code = codebooks.Quantised(jnp.ones((2, 3)), jnp.ones((2, 3)), jnp.ones(2, int))
    with pytest.raises(ValueError, match=r"needs the codebook of models\.vector_quantised"):
        codebooks.levels_of({"layer": jnp.ones(2)}, code)
