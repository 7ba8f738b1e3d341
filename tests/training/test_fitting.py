"""Training loop: compilation, bit-identical resumption, early stopping, non-finite values."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import aejax
from aejax import Batch, corruptions, losses, penalties, training
from aejax.training.errors import explain_runtime_errors

KEY = jax.random.key(0)
X = jax.random.uniform(jax.random.key(1), (50, 6))
OBJECTIVE = aejax.objective(
    aejax.dense((6, 4)),
    losses.bernoulli,
    corruption=corruptions.masking(rate=0.25),
    penalties={"sparsity": (0.1, penalties.kl_sparsity(rho=0.1))},
)
OPTIMIZER = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(1e-2))


def fit(epochs=3, *, objective=OBJECTIVE, optimizer=OPTIMIZER, data=X, **options):
    options = {"key": KEY, "batch_size": 8} | options
    return training.fit(objective, optimizer, Batch(data), epochs=epochs, **options)


def assert_same_state(a, b):
    jax.tree.map(np.testing.assert_array_equal, unkeyed(a), unkeyed(b))


def unkeyed(state):
    return state._replace(key=jax.random.key_data(state.key))


def test_training_lowers_the_loss_and_records_each_epoch():
    state, history = fit(30, validation=Batch(X[:10]))
    assert [record["epoch"] for record in history] == list(range(1, 31))
    assert [record["step"] for record in history[:2]] == [7, 14]
    assert history[-1]["loss"] < history[0]["loss"]
    assert int(state.epoch) == 30
    assert {"seconds", "examples_per_second", "reconstruction", "sparsity"} <= history[0].keys()


def test_validation_uses_the_noise_free_objective():
    state, history = fit(1, validation=Batch(X[:10]))
    whole, terms = aejax.noiseless(OBJECTIVE)(state.params, Batch(X[:8]), KEY)
    tail, tail_terms = aejax.noiseless(OBJECTIVE)(state.params, Batch(X[8:10]), KEY)
    found = history[0]["validation"]
    np.testing.assert_allclose(found["loss"], 0.8 * whole + 0.2 * tail, rtol=1e-5)
    mean = 0.8 * terms["reconstruction"] + 0.2 * tail_terms["reconstruction"]
    np.testing.assert_allclose(found["reconstruction"], mean, rtol=1e-5)


def test_a_resumed_run_is_bit_identical_to_an_uninterrupted_one():
    whole, history = fit(5)
    half, past = fit(2)
    resumed, joined = fit(5, key=None, state=half, history=past)
    assert_same_state(whole, resumed)
    assert [record["loss"] for record in history] == [record["loss"] for record in joined]


def test_fit_equals_train():
    state, _ = fit(3)
    pure, measured = jax.jit(
        lambda key: training.train(OBJECTIVE, OPTIMIZER, Batch(X), key, epochs=3, batch_size=8)
    )(KEY)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6),
        state.params,
        pure.params,
    )
    assert measured["loss"].shape == (3,)


def test_the_callers_state_is_not_donated():
    state, _ = fit(1)
    before = jax.tree.map(np.array, unkeyed(state))
    fit(2, key=None, state=state)
    jax.tree.map(np.testing.assert_array_equal, unkeyed(state), before)


class Counted:
    """Objective that counts the traces and calls of its penalty."""

    def __init__(self):
        self.traces = 0
        self.objective = aejax.objective(
            aejax.dense((6, 4)), losses.bernoulli, penalties={"count": (1.0, self.count)}
        )

    def count(self, record):
        self.traces += 1
        return jnp.zeros(())


def test_epochs_are_traced_once():
    once, many = Counted(), Counted()
    fit(1, objective=once.objective)
    fit(12, objective=many.objective)
    assert many.traces == once.traces


def test_fitting_the_same_objective_again_does_not_recompile():
    counted, optimizer = Counted(), optax.adam(1e-2)
    fit(1, objective=counted.objective, optimizer=optimizer, validation=Batch(X[:10]))
    first, counted.traces = counted.traces, 0
    fit(3, objective=counted.objective, optimizer=optimizer, validation=Batch(X[:10]))
    assert counted.traces <= 3 < first  # two abstract evaluations, one eager batch


def test_callbacks_are_called_after_every_epoch_in_order():
    seen = []
    fit(3, callbacks=[lambda state, record: seen.append((int(state.epoch), record["epoch"]))])
    assert seen == [(1, 1), (2, 2), (3, 3)]


def test_early_stopping_happens_at_the_same_epoch_in_a_resumed_run():
    options = {"validation": Batch(X[:10]), "patience": 2, "optimizer": optax.sgd(0.0)}
    state, history = fit(20, **options)
    assert len(history) == 3  # the first loss is never improved
    _, resumed = fit(20, **options, key=None, state=state, history=history)
    assert resumed == history


def test_patience_one_stops_after_the_first_epoch_without_improvement():
    still = {"validation": Batch(X[:10]), "optimizer": optax.sgd(0.0)}
    state, history = fit(20, **still, patience=1)
    assert len(history) == int(state.epoch) == 2
    _, history = fit(4, validation=Batch(X[:10]), patience=1)
    assert len(history) == 4  # each loss is lower than the previous one


@pytest.mark.parametrize(
    ("losses_seen", "patience", "expected"),
    [
        ([], 1, False),
        ([1.0], 1, False),
        ([1, 2], 1, True),
        ([2, 1, 1.5], 2, False),
        ([1, 2, 3], 2, True),
        ([1, 2, 3, 4], 2, True),  # resumed with a smaller patience
    ],
)
def test_stalled(losses_seen, patience, expected):
    history = [{"validation": {"loss": loss}} for loss in losses_seen]
    assert training.stalled(history, patience) is expected
    assert training.stalled(history, None) is False


def test_non_finite_losses_are_reported_with_step_and_terms():
    objective = aejax.objective(aejax.linear(6, 4), losses.squared)
    with pytest.raises(training.NonFiniteLossError, match="not finite at step") as caught:
        fit(50, objective=objective, optimizer=optax.sgd(1e3))
    assert caught.value.step >= 1
    assert caught.value.epoch == -(-caught.value.step // 7)
    assert "reconstruction" in caught.value.terms
    assert not np.isfinite([caught.value.terms["loss"], caught.value.terms["gradient_norm"]]).all()


def breaking(marked: float) -> aejax.Objective:
    """Objective whose gradient is NaN for batches with a marked example."""

    def penalty(record):
        weights = sum(jnp.sum(leaf) for leaf in jax.tree.leaves(record.params))
        return jnp.where(record.batch.x[:, 0] == marked, jnp.nan, 0.0) * weights

    return aejax.objective(aejax.dense((6, 4)), losses.squared, penalties={"break": (1.0, penalty)})


MARKED = X.at[7, 0].set(5.0)


def test_apply_if_finite_trains_on_the_finite_steps():
    skipping = optax.apply_if_finite(optax.sgd(1e-2), max_consecutive_errors=3)
    options = {"objective": breaking(5.0), "data": MARKED}
    state, history = fit(2, **options, optimizer=skipping)
    assert state.optimizer_state.total_notfinite == 2
    assert np.isfinite([list(record.values()) for record in history]).all()

    plain = optax.sgd(1e-2)
    by_hand, steps = training.init_state(options["objective"], plain, KEY), []
    step = jax.jit(partial(training.step, options["objective"], plain))
    for epoch in range(2):
        key_order, _ = jax.random.split(by_hand.key)
        order = jax.random.permutation(jax.random.fold_in(key_order, epoch), 50)
        for start in range(0, 50, 8):
            after, measured = step(by_hand, Batch(MARKED[order[start : start + 8]]))
            whole = 7 not in order[start : start + 8]
            by_hand = after if whole else by_hand._replace(step=after.step)
            if epoch == 1 and whole:
                steps.append((min(8, 50 - start), float(measured["loss"])))
    sizes, values = zip(*steps, strict=True)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6),
        state.params,
        by_hand.params,
    )
    assert history[1]["loss"] == pytest.approx(np.average(values, weights=sizes), rel=1e-5)


@pytest.mark.parametrize("objective", [breaking(5.0)])
def test_a_plain_optimizer_stops_at_the_first_non_finite_step(objective):
    with pytest.raises(training.NonFiniteLossError, match="not finite at step") as caught:
        fit(2, objective=objective, data=MARKED)
    key_order, _ = jax.random.split(training.init_state(objective, OPTIMIZER, KEY).key)
    order = jax.random.permutation(jax.random.fold_in(key_order, 0), 50).tolist()
    assert caught.value.step == order.index(7) // 8 + 1


def test_training_stops_when_apply_if_finite_gives_up():
    skipping = optax.apply_if_finite(optax.sgd(1e-2), max_consecutive_errors=0)
    with pytest.raises(training.NonFiniteLossError):
        fit(2, objective=breaking(5.0), data=MARKED, optimizer=skipping)


def test_an_epoch_without_finite_steps_stops():
    skipping = optax.apply_if_finite(optax.sgd(1e-2), max_consecutive_errors=9)
    with pytest.raises(training.NonFiniteLossError, match=r"finite steps .* = 0"):
        fit(2, objective=breaking(5.0), data=MARKED, optimizer=skipping, batch_size=50)


def test_a_non_finite_loss_with_finite_gradient_stops():
    """A monitored term without gradient, which no optimizer can detect."""
    watched = {"watched": (1.0, lambda record: jnp.log(-jnp.mean(jnp.abs(record.batch.x))))}
    objective = aejax.objective(aejax.dense((6, 4)), losses.squared, penalties=watched)
    with pytest.raises(training.NonFiniteLossError, match=r"not finite at step 1 .*watched = nan"):
        fit(1, objective=objective, optimizer=optax.apply_if_finite(optax.sgd(1e-2), 9))


@pytest.mark.parametrize(
    "optimizer",
    [
        optax.MultiSteps(optax.adam(1e-2), every_k_schedule=2).gradient_transformation(),
        optax.inject_hyperparams(optax.adam)(learning_rate=1e-2),
        optax.chain(optax.zero_nans(), optax.adamw(1e-3)),
        optax.apply_if_finite(optax.adam(1e-2), 3),
    ],
)
def test_wrapped_optimizers_train(optimizer):
    _, history = fit(2, optimizer=optimizer)
    assert np.isfinite(history[-1]["loss"])


def test_strict_dtype_promotion_gives_the_same_training():
    options = {"validation": Batch(X[:10]), "patience": 1}
    state, _ = fit(2, **options)
    with jax.numpy_dtype_promotion("strict"):
        strict, _ = fit(2, **options, optimizer=optax.chain(*[OPTIMIZER]))
    assert_same_state(state._replace(optimizer_state=()), strict._replace(optimizer_state=()))


def test_parameters_made_non_finite_by_the_last_step_are_reported():
    with pytest.raises(training.NonFiniteLossError, match=r"not finite at step 1 .*parameter_norm"):
        fit(1, optimizer=optax.sgd(np.inf), batch_size=len(X))


def test_records_have_the_norm_of_the_final_parameters():
    state, history = fit(2)
    squares = [np.sum(np.square(leaf, dtype=float)) for leaf in jax.tree.leaves(state.params)]
    np.testing.assert_allclose(history[-1]["parameter_norm"], np.sqrt(sum(squares)), rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": X[:0]}, "empty"),
        (
            {"data": X.at[3, 2].set(jnp.nan)},
            r"NaN or infinity: 1 of 300, first nan at index \(3, 2\)",
        ),
        ({"data": X.at[3, 2].set(jnp.inf)}, "NaN or infinity"),
        ({"data": X.at[3, 2].set(1.5)}, r"outside \[0, 1\].*scale with unit_range"),
        ({"batch_size": 51}, "between 1 and the number of examples, 50, got 51"),
        ({"batch_size": 0}, "between 1 and the number of examples"),
        ({"validation": Batch(X[:5] - 2)}, r"outside \[0, 1\]"),
        ({"patience": 2}, "patience needs validation data"),
        ({"patience": 0, "validation": Batch(X)}, "at least one epoch"),
        ({"key": None}, "either key, for a new run, or state"),
        ({"data": X[:, :5]}, r"expected an array \[batch, 6\]"),
    ],
)
def test_bad_input_is_refused_before_anything_is_compiled(change, message):
    with pytest.raises(ValueError, match=message):
        fit(**change)


def test_sparsity_of_a_code_that_is_not_logistic_is_refused():
    objective = aejax.objective(
        aejax.dense((6, 4), activation=jnp.tanh),
        losses.bernoulli,
        penalties={"sparsity": (1.0, penalties.kl_sparsity(rho=0.1))},
    )
    with pytest.raises(ValueError, match="use a logistic code"):
        fit(objective=objective)


def test_targets_of_another_length_are_refused():
    with pytest.raises(ValueError, match=r"one entry per example, got lengths \[49, 50\]"):
        training.fit(OBJECTIVE, OPTIMIZER, Batch(X, target=X[:49]), epochs=1, key=KEY)


def test_out_of_memory_messages_state_batch_size_and_need():
    program = jax.jit(lambda x: jnp.exp(x) @ jnp.exp(x)).lower(jnp.ones((512, 512))).compile()
    with (
        pytest.raises(training.OutOfMemoryError) as caught,
        explain_runtime_errors(program, batch_size=4096),
    ):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 9 bytes.")
    assert "out of memory with a batch size of 4096" in str(caught.value)
    assert "beside 0.000977 GiB of state and data" in str(caught.value)
    with (
        pytest.raises(jax.errors.JaxRuntimeError, match="INTERNAL"),
        explain_runtime_errors(program, batch_size=4096),
    ):
        raise jax.errors.JaxRuntimeError("INTERNAL: something else")
