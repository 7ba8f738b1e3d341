"""Discrete codes: gradients of the objective as PyTorch computes them, decoding, refusals."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import torch

import aejax
from aejax import losses, models, penalties
from aejax.models import Quantised

FEATURES, CHANNELS, CODEWORDS, DEPTH = 6, 3, 9, 2
BASE = aejax.dense((FEATURES, CHANNELS), code_activation=jax.nn.identity)
TERMS = {"commitment": (0.25, penalties.commitment()), "codebook": (1.0, penalties.codebook())}
X = np.random.default_rng(0).normal(size=(20, FEATURES))


def every() -> dict[str, tuple[aejax.Autoencoder, tuple[int, ...]]]:
    """Models, and the shape of the indices of one position."""
    codebook = {"codewords": CODEWORDS, "channels": CHANNELS}
    return {
        "vector": (models.vector_quantised(BASE, **codebook), ()),
        "residual": (models.residual_quantised(BASE, depth=DEPTH, **codebook), (DEPTH,)),
        "finite scalar": (models.finite_scalar_quantised(BASE, levels=(5, 4, 3)), ()),
        "lookup-free": (models.lookup_free_quantised(BASE, bits=CHANNELS), ()),
    }


def torch_gradients(params, x, tables):
    """Loss and gradients of the objective of VQ-VAE and RQ-VAE, by PyTorch's detach."""
    leaves = [
        torch.tensor(np.asarray(each), requires_grad=True)
        for each in (
            params["encoder"]["layer_0"]["kernel"],
            params["decoder"]["layer_0"]["kernel"],
            tables,
        )
    ]
    encoder, decoder, books = leaves
    biases = [
        torch.tensor(np.asarray(params[side]["layer_0"]["bias"])) for side in ("encoder", "decoder")
    ]
    x = torch.tensor(x)
    z = x @ encoder + biases[0]
    loss, rest, reached = torch.zeros((), dtype=x.dtype), z, torch.zeros_like(z)
    for book in books:
        index = torch.cdist(rest, book).argmin(dim=1)
        loss = loss + (rest.detach() - book[index]).square().sum()
        reached = reached + book[index]
        loss = loss + 0.25 * (z - reached.detach()).square().sum()
        rest = rest - book[index].detach()
    latent = z + (reached - z).detach()
    loss = (loss + (latent @ decoder + biases[1] - x).square().sum()) / len(x)
    loss.backward()
    return loss.item(), [leaf.grad.numpy() for leaf in leaves]


@pytest.mark.parametrize("name", ["vector", "residual"])
def test_the_objective_and_its_gradients_are_those_of_pytorch(name, x64):
    model, _ = every()[name]
    params = model.init(jax.random.key(0))
    codebook = jax.random.normal(jax.random.key(1), params["quantiser"]["codebook"].shape)
    params["quantiser"]["codebook"] = codebook
    objective = aejax.objective(model, losses.squared, penalties=TERMS)
    batch = aejax.Batch(jnp.asarray(X))
    gradient = jax.jit(jax.value_and_grad(objective, has_aux=True))
    (loss, _), found = gradient(params, batch, jax.random.key(2))
    tables = np.asarray(codebook).reshape(-1, CODEWORDS, CHANNELS)
    expected, gradients = torch_gradients(params, X, tables)
    assert float(loss) == pytest.approx(expected, rel=1e-10)
    np.testing.assert_allclose(found["encoder"]["layer_0"]["kernel"], gradients[0], atol=1e-10)
    np.testing.assert_allclose(found["decoder"]["layer_0"]["kernel"], gradients[1], atol=1e-10)
    found_tables = np.asarray(found["quantiser"]["codebook"]).reshape(tables.shape)
    np.testing.assert_allclose(found_tables, gradients[2], atol=1e-10)
    assert np.abs(gradients[2]).max() > 0.01


@pytest.mark.parametrize("name", every())
def test_indices_decode_as_their_code(name):
    model, position = every()[name]
    params = model.init(jax.random.key(0))
    code = model.encode(params, jnp.asarray(X, jnp.float32))
    assert isinstance(code, Quantised)
    assert code.indices.shape == (len(X), *position)
    np.testing.assert_allclose(
        model.decode(params, code.indices), model.decode(params, code), atol=1e-6
    )
    np.testing.assert_allclose(
        BASE.decode(params, code.quantised), model.decode(params, code), atol=1e-6
    )


def test_positions_of_a_spatial_code_are_quantised_one_by_one():
    base = aejax.convolutional((8, 8, 1), (4,), code_activation=jax.nn.identity)
    for model, position in (
        (models.vector_quantised(base, codewords=5, channels=4), ()),
        (models.residual_quantised(base, depth=2, codewords=5, channels=4), (2,)),
    ):
        params = model.init(jax.random.key(0))
        x = jax.random.uniform(jax.random.key(1), (3, 8, 8, 1))
        code = model.encode(params, x)
        assert code.indices.shape == (*code.continuous.shape[:-1], *position)
        assert code.continuous.ndim == 4
        rows = code.continuous.reshape(-1, 1, 1, 4)
        alone = models.vector_quantised(
            aejax.Autoencoder(base.init, lambda params, x: x, base.decode), codewords=5, channels=4
        )
        if position == ():
            found = alone.encode(params, rows).indices
            np.testing.assert_array_equal(found.ravel(), code.indices.ravel())
        assert model.decode(params, code.indices).shape == x.shape


def test_a_codebook_starts_uniform_in_the_published_interval():
    model = models.vector_quantised(BASE, codewords=500, channels=CHANNELS)
    codebook = np.asarray(model.init(jax.random.key(0))["quantiser"]["codebook"])
    assert np.abs(codebook).max() <= 1 / 500
    assert codebook.std() == pytest.approx(1 / 500 / np.sqrt(3), rel=0.05)


def test_unsuitable_arguments_are_refused():
    with pytest.raises(ValueError, match="codewords must be at least 1, got 0"):
        models.vector_quantised(BASE, codewords=0, channels=3)
    with pytest.raises(ValueError, match="at least 3 levels in each channel"):
        models.finite_scalar_quantised(BASE, levels=(8, 2))
    with pytest.raises(ValueError, match="use fewer levels"):
        models.finite_scalar_quantised(BASE, levels=(9,) * 10)
    with pytest.raises(ValueError, match="use fewer levels"):
        models.lookup_free_quantised(BASE, bits=31)
    twice = models.vector_quantised(every()["vector"][0], codewords=2, channels=3)
    with pytest.raises(ValueError, match="without 'quantiser'"):
        twice.init(jax.random.key(0))


def test_other_codes_are_refused():
    model = models.vector_quantised(BASE, codewords=4, channels=5)
    params = model.init(jax.random.key(0))
    with pytest.raises(ValueError, match=r"needs a code \[batch, \*positions, 5\]"):
        model.encode(params, jnp.ones((2, FEATURES)))
    with pytest.raises(ValueError, match="or an array of indices"):
        model.decode(params, jnp.ones((2, 5)))


@pytest.mark.parametrize(
    ("name", "values"),
    [("vector", CODEWORDS), ("residual", CODEWORDS), ("finite scalar", 60), ("lookup-free", 8)],
)
def test_indices_out_of_range_are_refused_and_nan_is_not_hidden(name, values):
    """Clamped or wrapped, an index would be decoded as another one."""
    model, position = every()[name]
    params = model.init(jax.random.key(0))
    for wrong in (-1, values):
        with pytest.raises(ValueError, match=rf"each index must lie in \[0, {values - 1}\]"):
            model.decode(params, jnp.full((2, *position), wrong))
    assert model.decode(params, jnp.full((2, *position), values - 1)).shape == (2, FEATURES)
    x = jnp.asarray(X[:2], jnp.float32).at[0, 0].set(jnp.nan)
    x_hat = model.decode(params, model.encode(params, x))
    assert np.isnan(x_hat[0]).all()
    assert np.isfinite(x_hat[1]).all()
