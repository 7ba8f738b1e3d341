"""Reduction and weighting of the objective's terms, and checks of its components."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import aejax
from aejax import Batch, Loss, corruptions, losses, penalties
from aejax.contracts import broadcastable_weight, check_weighted_penalty
from tests.properties import property_test

KEY = jax.random.key(0)
MODEL = aejax.dense((5, 3))
PARAMS = MODEL.init(jax.random.key(1))
X = jax.random.uniform(jax.random.key(2), (4, 5))


def output_of(x: jax.Array) -> np.ndarray:
    return np.asarray(MODEL.decode(PARAMS, MODEL.encode(PARAMS, x)))


def test_loss_is_summed_over_features_and_averaged_over_the_batch():
    total, terms = aejax.objective(MODEL, losses.squared)(PARAMS, Batch(X), KEY)
    expected = np.mean(np.sum((output_of(X) - X) ** 2, axis=1))
    np.testing.assert_allclose(terms["reconstruction"], expected, rtol=1e-6)
    assert total == terms["reconstruction"]


def test_terms_are_unweighted_and_the_total_is_weighted():
    weighed = {"decay": (0.5, penalties.l2()), "sparse": (2.0, penalties.l1())}
    total, terms = aejax.objective(MODEL, losses.squared, penalties=weighed)(PARAMS, Batch(X), KEY)
    record = aejax.forward(aejax.objective(MODEL, losses.squared), PARAMS, Batch(X), KEY)
    np.testing.assert_allclose(terms["decay"], penalties.l2()(record), rtol=1e-6)
    np.testing.assert_allclose(terms["sparse"], np.mean(penalties.l1()(record)), rtol=1e-6)
    expected = terms["reconstruction"] + 0.5 * terms["decay"] + 2.0 * terms["sparse"]
    np.testing.assert_allclose(total, expected, rtol=1e-6)


def test_the_target_stays_clean_under_corruption():
    masked = aejax.objective(MODEL, losses.squared, corruption=corruptions.masking(rate=1.0))
    _, terms = masked(PARAMS, Batch(X), KEY)
    expected = np.mean(np.sum((output_of(jnp.zeros_like(X)) - X) ** 2, axis=1))
    np.testing.assert_allclose(terms["reconstruction"], expected, rtol=1e-6)


def test_target_and_weight_of_the_batch_enter_the_loss():
    target, weight = X[::-1], jnp.zeros_like(X).at[:, 2].set(3.0)
    _, terms = aejax.objective(MODEL, losses.squared)(PARAMS, Batch(X, target, weight), KEY)
    expected = np.mean(3 * (output_of(X)[:, 2] - target[:, 2]) ** 2)
    np.testing.assert_allclose(terms["reconstruction"], expected, rtol=1e-6)


def test_perturbation_changes_the_latent_but_not_the_code():
    objective = aejax.objective(
        MODEL, losses.squared, perturbation=lambda key, code: code + jax.random.normal(key, (4, 3))
    )
    record = aejax.forward(objective, PARAMS, Batch(X), KEY)
    np.testing.assert_array_equal(record.code, MODEL.encode(PARAMS, X))
    assert not np.array_equal(record.latent, record.code)
    np.testing.assert_array_equal(record.output, MODEL.decode(PARAMS, record.latent))


def test_corruption_perturbation_and_penalties_use_different_keys():
    seen = []

    def spy(key, array):
        seen.append(jax.random.key_data(key).tolist())
        return array

    objective = aejax.objective(MODEL, losses.squared, corruption=spy, perturbation=spy)
    record = aejax.forward(objective, PARAMS, Batch(X), KEY)
    seen.append(jax.random.key_data(record.key).tolist())
    assert len({tuple(key) for key in seen}) == 3


def test_noiseless_and_reconstruct_apply_no_noise():
    noisy = aejax.objective(
        MODEL,
        losses.bernoulli,
        corruption=corruptions.gaussian(sigma=1.0),
        perturbation=corruptions.gaussian(sigma=1.0),
    )
    quiet = aejax.objective(MODEL, losses.bernoulli)
    clean, expected = aejax.noiseless(noisy), quiet(PARAMS, Batch(X), KEY)[0]
    assert clean(PARAMS, Batch(X), KEY)[0] == expected
    x_hat = 1 / (1 + np.exp(-output_of(X)))
    np.testing.assert_allclose(aejax.reconstruct(noisy, PARAMS, X), x_hat, rtol=1e-6)


def test_weights_and_rates_can_be_vmapped():
    def total(weight, rate):
        objective = aejax.objective(
            MODEL,
            losses.squared,
            corruption=corruptions.masking(rate=rate),
            penalties={"sparsity": (weight, penalties.kl_sparsity(rho=rate))},
        )
        return objective(PARAMS, Batch(X), KEY)[0]

    weights, rates = jnp.asarray([0.0, 1.0, 3.0]), jnp.asarray([0.1, 0.3, 0.5])
    one_by_one = [total(float(w), float(r)) for w, r in zip(weights, rates, strict=True)]
    np.testing.assert_allclose(jax.vmap(total)(weights, rates), one_by_one, rtol=1e-6)


@pytest.mark.parametrize("name", ["reconstruction", "loss"])
def test_reserved_penalty_names_are_refused(name):
    with pytest.raises(ValueError, match=f"cannot be called '{name}'"):
        aejax.objective(MODEL, losses.squared, penalties={name: (1.0, penalties.l2())})


def test_an_empty_batch_is_refused():
    with pytest.raises(ValueError, match="the batch is empty"):
        aejax.objective(MODEL, losses.squared)(PARAMS, Batch(X[:0]), KEY)


def test_integer_inputs_are_refused_with_advice():
    with pytest.raises(ValueError, match="floating point, got int32; scale it first"):
        aejax.objective(MODEL, losses.squared)(PARAMS, Batch(X.astype(int)), KEY)


@pytest.mark.parametrize("shape", [(4,), (4, 1), (4, 5)])
def test_one_weight_per_example_is_applied_along_the_batch_axis(shape):
    """Also if batch size and feature count agree, where NumPy would broadcast along features."""
    x, weight = jnp.concatenate([X, X[:1]]), jnp.asarray([3.0, 0.0, 1.0, 0.5, 2.0])
    square = Batch(
        x, weight=weight if shape == (4,) else jnp.broadcast_to(weight[:, None], (5, *shape[1:]))
    )
    _, terms = aejax.objective(MODEL, losses.squared)(PARAMS, square, KEY)
    per_example = np.sum((output_of(x) - np.asarray(x)) ** 2, axis=1)
    np.testing.assert_allclose(terms["reconstruction"], np.mean(weight * per_example), rtol=1e-6)


@pytest.mark.parametrize("shape", [(), (5,), (1, 5), (3,), (5, 4), (4, 2), (4, 5, 1), (4, 1, 1)])
def test_weights_of_another_shape_are_refused(shape):
    with pytest.raises(ValueError, match=r"weight must be \[4\], one value per example, or"):
        aejax.objective(MODEL, losses.squared)(PARAMS, Batch(X, weight=jnp.ones(shape)), KEY)


SHAPES = st.lists(st.integers(1, 3), min_size=0, max_size=3).map(tuple)


@property_test(examples=40)
@given(SHAPES.filter(len), SHAPES)
def test_weights_fit_the_batch_or_the_losses_axes_or_are_refused(losses, weight):
    values = np.arange(1.0, 1 + np.prod(losses)).reshape(losses)
    weights = np.arange(2.0, 2 + np.prod(weight)).reshape(weight)
    same_axes = len(weight) == len(losses) and weight[0] == losses[0]
    same_axes = same_axes and all(w in (1, n) for w, n in zip(weight, losses, strict=True))
    if not same_axes and weight != losses[:1]:
        with pytest.raises(ValueError, match="weight must be"):
            broadcastable_weight(jnp.asarray(values), weights)
        return
    found = np.zeros(losses)
    for index in np.ndindex(losses):
        own = tuple(i if n > 1 else 0 for i, n in zip(index, weight, strict=False))
        found[index] = weights[own] * values[index]
    np.testing.assert_array_equal(
        np.asarray(broadcastable_weight(jnp.asarray(values), weights)) * values, found
    )


@pytest.mark.parametrize("shape", [(4, 3), (7,), (1,), (4, 1), (1, 4), "None", "list"])
def test_penalties_of_another_shape_are_refused_by_name(shape):
    value = {"None": None, "list": [1.0]}.get(shape) if isinstance(shape, str) else jnp.ones(shape)
    odd = aejax.objective(MODEL, losses.squared, penalties={"odd": (1.0, lambda record: value)})
    with pytest.raises(
        ValueError, match=r"penalty 'odd' must return a scalar or one value for eac"
    ):
        odd(PARAMS, Batch(X), KEY)


@pytest.mark.parametrize(
    "value", [2, 2.0, jnp.asarray(2.0), np.float64(2), jnp.asarray([1.0, 2, 3, 2])]
)
def test_a_penalty_returns_a_scalar_or_one_value_per_example(value):
    even = aejax.objective(MODEL, losses.squared, penalties={"even": (1.0, lambda record: value)})
    total, terms = even(PARAMS, Batch(X), KEY)
    assert terms["even"] == 2
    np.testing.assert_allclose(total, terms["reconstruction"] + 2, rtol=1e-6)


@pytest.mark.parametrize("weight", [jnp.ones(4), [1.0], None, "1"])
def test_penalty_weights_that_are_not_scalars_are_refused_by_name(weight):
    with pytest.raises(ValueError, match=r"weight of the penalty 'l1' must be a scalar"):
        check_weighted_penalty("l1", (weight, penalties.l1()))


@pytest.mark.parametrize("weighted", [penalties.l1(), 0.1, (0.1,), (penalties.l1(), 0.1)])
def test_a_penalty_without_a_weight_is_refused_by_name(weighted):
    with pytest.raises(
        ValueError, match=r"penalties are name -> \(weight, penalty\), such as 'l1'"
    ):
        check_weighted_penalty("l1", weighted)


def custom_loss(elementwise) -> Loss:
    return Loss(elementwise, jax.nn.identity, support=(-jnp.inf, jnp.inf))


def test_a_custom_loss_that_broadcasts_is_refused():
    wide, narrow = jnp.ones((5, 5)), jnp.ones((5, 1))
    difference = custom_loss(lambda output, target: (output - target) ** 2)
    for output, target in [(wide, narrow), (narrow, wide), (wide, jnp.ones(5))]:
        model = aejax.Autoencoder(lambda key: {}, lambda _, x: x, lambda _, h, to=output: to)
        with pytest.raises(ValueError, match="without broadcasting: output float32"):
            aejax.objective(model, difference)({}, Batch(wide, target), KEY)


def test_a_loss_that_reduces_is_refused():
    summed = custom_loss(lambda output, target: jnp.sum((output - target) ** 2, axis=1))
    with pytest.raises(ValueError, match=r"gave float32 \[4\]; give output and target the same"):
        aejax.objective(MODEL, summed)(PARAMS, Batch(X), KEY)


def test_a_loss_may_use_more_outputs_than_targets():
    """Mean and log-variance of each element: the Gaussian negative log-likelihood."""

    def elementwise(output, target):
        mean, log_variance = jnp.split(output, 2, axis=1)
        return (jnp.exp(-log_variance) * (target - mean) ** 2 + log_variance) / 2

    model = aejax.dense((5, 3), decoder_sizes=(3, 10))
    params = model.init(KEY)
    total, _ = aejax.objective(model, custom_loss(elementwise))(params, Batch(X), KEY)
    mean, log_variance = np.split(np.asarray(model.decode(params, model.encode(params, X))), 2, 1)
    expected = ((X - mean) ** 2 / np.exp(log_variance) + log_variance) / 2
    np.testing.assert_allclose(total, np.mean(np.sum(expected, axis=1)), rtol=1e-5)


@pytest.mark.parametrize("component", ["augmentation", "corruption", "perturbation"])
@pytest.mark.parametrize(
    "change",
    [
        lambda _, x: x[:, :1],
        lambda _, x: x[0],
        lambda _, x: jnp.concatenate([x, x]),
        lambda _, x: x.astype(jnp.float16),
        lambda _, x: x > 0,
        lambda _, x: None,
        lambda _, x: (x, x),
    ],
)
def test_noise_that_changes_shape_or_dtype_is_refused_by_name(component, change):
    objective = aejax.objective(MODEL, losses.squared, **{component: change})
    with pytest.raises(
        ValueError, match=f"the {component} must preserve shape and dtype: it was given"
    ):
        objective(PARAMS, Batch(X), KEY)


def test_a_perturbation_may_map_a_tree_to_a_sample():
    model = MODEL._replace(encode=lambda params, x: {"mean": MODEL.encode(params, x), "scale": x})
    sample = aejax.objective(model, losses.squared, perturbation=lambda key, code: code["mean"])
    total, _ = sample(PARAMS, Batch(X), KEY)
    assert total == aejax.objective(MODEL, losses.squared)(PARAMS, Batch(X), KEY)[0]


@pytest.mark.parametrize("reduce", [lambda h: jnp.sum(h, axis=0), lambda h: h[:1], lambda h: None])
def test_an_output_without_the_batch_axis_is_refused(reduce):
    model = MODEL._replace(decode=lambda params, code: reduce(MODEL.decode(params, code)))
    with pytest.raises(
        ValueError, match=r"the output of decode must be \[batch, …\] with one entry"
    ):
        aejax.objective(model, losses.squared)(PARAMS, Batch(X), KEY)


def test_a_target_of_another_batch_size_is_refused():
    with pytest.raises(
        ValueError, match=r"the target must be \[batch, …\] with one entry for each of"
    ):
        aejax.objective(MODEL, losses.squared)(PARAMS, Batch(X, target=X[:3]), KEY)


@pytest.mark.parametrize("loss", [losses.bernoulli, losses.squared, losses.categorical])
def test_targets_may_be_boolean(loss):
    bits = np.asarray(X) > 0.5
    objective = aejax.objective(MODEL, loss)
    total, _ = objective(PARAMS, Batch(X, bits), KEY)
    expected, _ = objective(PARAMS, Batch(X, bits.astype(np.float32)), KEY)
    assert total == expected
    with jax.numpy_dtype_promotion("strict"):
        assert objective(PARAMS, Batch(X, bits.astype(int)), KEY)[0] == expected


def test_binary_labels_may_be_boolean():
    bits = np.asarray(X[:, 0]) > 0.5
    objective = aejax.objective(aejax.dense((5, 2)), losses.squared)
    params = objective.model.init(KEY)
    model = objective.model._replace(decode=lambda params, code: code)
    objective = aejax.objective(model, losses.categorical_labels(classes=2))
    total, _ = objective(params, Batch(X, bits), KEY)
    assert total == objective(params, Batch(X, bits.astype(int)), KEY)[0]


def test_complex_penalties_and_weights_are_refused():
    """Only the real part of a complex weight would count."""
    complex_penalty = {"odd": (1.0, lambda record: jnp.sum(record.code) * 1j)}
    with pytest.raises(ValueError, match=r"penalty 'odd' must return .* got complex64 \[\]"):
        aejax.objective(MODEL, losses.squared, penalties=complex_penalty)(PARAMS, Batch(X), KEY)
    for weight in (1j, np.complex64(1j), jnp.complex64(1j)):
        with pytest.raises(ValueError, match="weight of the penalty 'odd' must be a scalar"):
            check_weighted_penalty("odd", (weight, penalties.l2()))


@pytest.mark.parametrize("weight", [jnp.nan, jnp.inf, jnp.array(jnp.nan), np.float64("-inf")])
def test_penalty_weights_that_are_not_finite_are_refused_by_name(weight):
    with pytest.raises(ValueError, match="weight of the penalty 'l1' must be finite, got"):
        aejax.objective(MODEL, losses.squared, penalties={"l1": (weight, penalties.l1())})
