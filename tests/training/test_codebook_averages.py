"""Exponential averages of codewords: the published recursion, and every way of training."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy.cluster.vq import vq

import aejax
from aejax import checkpoints, models, training
from tests.eight_virtual_devices import on_eight_devices
from tests.training.averaged_codebooks import DECAY, OPTIMIZER, X, make_objective

STEP = jax.jit(training.step, static_argnums=(0, 1), static_argnames="gradient_of")
OBJECTIVE = make_objective()


def recursion(batches, *, depth: int, weight: float):
    """Codebooks and usage of training, and by the recursion of the paper on the same codes."""
    objective = make_objective(depth=depth, weight=weight)
    encode = jax.jit(objective.model.encode)
    state = training.init_state(objective, OPTIMIZER, 0)
    tables = np.array(state.params["quantiser"]["codebook"]).reshape(depth, -1, 3)
    counts, sums = np.zeros(tables.shape[:2]), np.zeros(tables.shape)
    for x in batches:
        rest = np.array(encode(state.params, x).continuous)
        state, _ = STEP(objective, OPTIMIZER, state, aejax.Batch(x))
        for level, table in enumerate(tables):
            index, _ = vq(rest, table)
            hot = np.eye(table.shape[0])[index]
            counts[level] = DECAY * counts[level] + (1 - DECAY) * hot.sum(axis=0)
            sums[level] = DECAY * sums[level] + (1 - DECAY) * hot.T @ rest
            rest = rest - table[index]
            used = counts[level] > 0
            table[used] = sums[level][used] / counts[level][used, None]
    return state.params["quantiser"], tables, counts / len(batches[0])


@pytest.mark.parametrize(("depth", "weight"), [(1, 3.0), (2, 1.0)])
def test_codewords_are_the_exponential_averages_of_the_paper(depth, weight, x64):
    batches = [jnp.asarray(part) for part in np.split(X.astype(float), 5)]
    found, tables, counts = recursion(batches, depth=depth, weight=weight)
    np.testing.assert_allclose(found["codebook"].reshape(tables.shape), tables, atol=1e-10)
    np.testing.assert_allclose(found["usage"].reshape(counts.shape), weight * counts, atol=1e-10)
    assert 0 < (counts > 0).mean() < 1  # some codewords stayed where they were


def test_averages_are_those_of_another_library():
    torch = pytest.importorskip("torch")
    other = pytest.importorskip("vector_quantize_pytorch", reason="not installed")
    base = aejax.Autoencoder(lambda key: {}, lambda params, x: x, lambda params, code: code)
    model = models.vector_quantised(base, codewords=16, channels=6, averaged=True)
    objective = aejax.objective(
        model, OBJECTIVE.loss, penalties={"codebook": OBJECTIVE.penalties["codebook"]}
    )
    optimizer = training.averaged_codebook(optax.sgd(0.1), decay=DECAY)
    state = training.init_state(objective, optimizer, 0)
    quantiser = other.VectorQuantize(dim=6, codebook_size=16, decay=DECAY, eps=1e-12)
    # It counts per batch, and starts with one count of each codeword.
    state.params["quantiser"] |= {"codebook": jnp.asarray(X[:16]), "usage": jnp.full(16, 1 / 10)}
    for name in ("embed", "embed_avg"):
        getattr(quantiser._codebook, name).data.copy_(torch.tensor(X[None, :16]))
    for x in np.split(X, 5):
        state, _ = STEP(objective, optimizer, state, aejax.Batch(jnp.asarray(x)))
        quantiser(torch.tensor(x[None]))
    np.testing.assert_allclose(
        state.params["quantiser"]["codebook"], quantiser.codebook.numpy(), atol=1e-5
    )


def test_accumulated_averages_are_those_of_the_whole_batch():
    state = training.init_state(OBJECTIVE, OPTIMIZER, 0)
    batch = aejax.Batch(jnp.asarray(X))
    whole, _ = STEP(OBJECTIVE, OPTIMIZER, state, batch)
    parts, _ = STEP(
        OBJECTIVE, OPTIMIZER, state, batch, gradient_of=training.accumulated(part_size=7)
    )
    for name in ("codebook", "usage"):
        np.testing.assert_allclose(
            whole.params["quantiser"][name], parts.params["quantiser"][name], atol=1e-6
        )


def test_training_resumes_bit_identically(tmp_path):
    options = {"batch_size": 16}
    whole, _ = training.fit(OBJECTIVE, OPTIMIZER, X, key=1, epochs=3, **options)
    half, history = training.fit(OBJECTIVE, OPTIMIZER, X, key=1, epochs=1, **options)
    checkpoints.save(tmp_path, half, configuration={})
    restored, _ = checkpoints.restore(tmp_path, like=half)
    again, _ = training.fit(
        OBJECTIVE, OPTIMIZER, X, state=restored, history=history, epochs=3, **options
    )
    jax.tree.map(np.testing.assert_array_equal, again.params, whole.params)
    assert whole.params["quantiser"]["usage"].any()


def make_member(decay):
    return make_objective(), training.averaged_codebook(optax.sgd(0.1), decay=decay)


def test_members_of_a_population_average_with_their_own_decay():
    decays = jnp.array([0.0, 0.9])
    members, _ = training.fit_population(
        make_member,
        X,
        hyperparameters=decays,
        key=jnp.stack([jax.random.key(3)] * 2),
        epochs=2,
        batch_size=10,
    )
    for index, decay in enumerate((0.0, 0.9)):
        alone, _ = training.fit(*make_member(decay), X, key=3, epochs=2, batch_size=10)
        jax.tree.map(
            lambda a, b, i=index: np.testing.assert_allclose(a[i], b, atol=1e-5),
            members.params,
            alone.params,
        )


def test_the_optimizer_of_the_rest_sees_no_codebook_and_cannot_move_it():
    """Adam divides by the norm of its gradients, and weight decay changes every parameter."""
    state = training.init_state(OBJECTIVE, OPTIMIZER, 0)
    batch, results = aejax.Batch(jnp.asarray(X)), []
    for inner in (optax.sgd(0.0), optax.chain(optax.clip_by_global_norm(1e-3), optax.adamw(0.1))):
        optimizer = training.averaged_codebook(inner, decay=DECAY)
        start = state._replace(optimizer_state=optimizer.init(state.params))
        results.append(STEP(OBJECTIVE, optimizer, start, batch)[0].params["quantiser"])
    jax.tree.map(np.testing.assert_array_equal, *results)


@pytest.mark.slow
def test_averages_on_eight_devices_are_those_of_one():
    found = on_eight_devices("tests.training.averaged_codebooks")
    assert found["devices"] == 8
    assert len(found["differences"]) == 8
    assert all(value < 1e-5 for value in found["differences"].values()), found


def test_unsuitable_models_and_decays_are_refused():
    base = aejax.dense((6, 3))
    for model, found in (
        (models.vector_quantised(base, codewords=4, channels=3), r"\['codebook'\]"),
        (base, "nothing"),
    ):
        params = model.init(jax.random.key(0))
        state = OPTIMIZER.init(params)
        with pytest.raises(ValueError, match=f"with averaged=True, but its .* has {found}"):
            OPTIMIZER.update(params, state, params)
    with pytest.raises(ValueError, match="needs the parameters"):
        OPTIMIZER.update(params, state)
    with pytest.raises(ValueError, match="decay of averaged_codebook must lie in"):
        training.averaged_codebook(optax.sgd(0.1), decay=1.0)
