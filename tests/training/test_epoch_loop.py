"""The best state, stopping by callbacks, and their combination with resumed training."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import aejax
from aejax import Batch, losses, training
from aejax.training import Stream

KEY = jax.random.key(3)
RNG = np.random.default_rng(5)
X, HELD_OUT = (RNG.random((size, 7), np.float32) for size in (16, 9))
OBJECTIVE = aejax.objective(aejax.dense((7, 12, 7)), losses.bernoulli)
OPTIMIZER = optax.adam(0.1)  # overfits: the validation loss rises after a few epochs
OPTIONS = {"batch_size": 4, "validation": Batch(HELD_OUT)}


def fit(epochs, **options):
    start = {} if "state" in options else {"key": KEY}
    return training.fit(
        OBJECTIVE, OPTIMIZER, Batch(X), epochs=epochs, **OPTIONS, **start, **options
    )


def assert_equal(a, b):
    a, b = (state._replace(key=jax.random.key_data(state.key)) for state in (a, b))
    jax.tree.map(np.testing.assert_array_equal, a, b)


def shaken(state):
    """A state with noise in its parameters, from its key and epoch, before every second epoch."""
    if int(state.epoch) % 2:
        return state
    leaves, tree = jax.tree.flatten(state.params)
    key = jax.random.fold_in(state.key, state.epoch)
    noise = [0.1 * jax.random.normal(key, leaf.shape, leaf.dtype) for leaf in leaves]
    return state._replace(
        params=tree.unflatten([leaf + each for leaf, each in zip(leaves, noise, strict=True)])
    )


def test_a_state_is_changed_before_epochs_and_a_resumed_run_repeats_it():
    """Compared with calls of fit for one epoch each."""
    expected, history = training.init_state(OBJECTIVE, OPTIMIZER, KEY), []
    for epoch in range(1, 5):
        start = shaken(expected)
        expected, history = fit(epoch, state=start, history=history)
    found, records = fit(4, before_epoch=shaken)
    assert_equal(found, expected)
    assert [each["loss"] for each in records] == [each["loss"] for each in history]
    for epoch in (1, 2):
        state, _ = fit(epoch, before_epoch=shaken)
        assert_equal(fit(4, before_epoch=shaken, state=state)[0], expected)


def test_a_stream_changes_states_as_data_in_memory_do():
    seen = []

    def shaken_and_seen(state):
        seen.append(int(state.epoch))
        return shaken(state)

    options = {"epochs": 3, "key": KEY}
    stream = Stream(lambda rows: Batch(jnp.asarray(X[rows])), len(X), 4)
    found, _ = training.fit_stream(
        OBJECTIVE, OPTIMIZER, stream, before_epoch=shaken_and_seen, **options
    )
    other, _ = training.fit_stream(OBJECTIVE, OPTIMIZER, stream, **options)
    assert seen == [0, 1, 2]
    with pytest.raises(AssertionError):
        assert_equal(found, other)


def test_a_change_before_an_epoch_is_a_state_with_the_same_arrays():
    with pytest.raises(ValueError, match="before_epoch must return a state with the same arrays"):
        fit(1, before_epoch=lambda state: state._replace(params={}))
    with pytest.raises(ValueError, match=r"before_epoch is called with \(state\)"):
        fit(1, before_epoch=lambda: None)


def losses_in(history):
    return [record["validation"]["loss"] for record in history]


def test_the_state_of_the_best_epoch_is_returned():
    states = []
    best, history = fit(
        12,
        keep_best=True,
        callbacks=[lambda state, _: states.append(jax.tree.map(jnp.copy, state))],
    )
    index = int(np.argmin(losses_in(history)))
    assert 0 < index < 11  # neither the first nor the last epoch
    assert_equal(best, states[index])
    assert len(history) == 12
    loss, _ = aejax.noiseless(OBJECTIVE)(best.params, Batch(HELD_OUT[:8]), KEY)
    tail, _ = aejax.noiseless(OBJECTIVE)(best.params, Batch(HELD_OUT[8:]), KEY)
    assert (8 * loss + tail) / 9 == pytest.approx(min(losses_in(history)), rel=1e-5)


@pytest.mark.slow
def test_training_on_a_stream_returns_the_best_state_and_can_be_stopped():
    train, held_out = (Stream(lambda i, x=x: Batch(x[i]), len(x), len(x)) for x in (X, HELD_OUT))
    states = []

    def stop(state, record):
        states.append(jax.tree.map(jnp.copy, state))
        return record["epoch"] == 15

    best, history = training.fit_stream(
        OBJECTIVE,
        OPTIMIZER,
        train,
        epochs=40,
        key=KEY,
        validation=held_out,
        keep_best=True,
        callbacks=[stop],
    )
    index = int(np.argmin(losses_in(history)))
    assert len(history) == 15
    assert 0 < index < 14
    assert_equal(best, states[index])


@pytest.mark.parametrize("half", [1, 9])
def test_a_resumed_training_returns_the_same_best_state(half):
    options = {"keep_best": True, "patience": 6}
    whole, history = fit(12, **options)
    state, past = fit(half, **options)
    both, joined = fit(12, **options, state=state, history=past)
    assert_equal(both, whole)
    assert losses_in(joined) == losses_in(history)
    assert [record["epoch"] for record in joined] == [record["epoch"] for record in history]


def test_a_best_state_that_is_not_improved_is_returned():
    best, history = fit(12, keep_best=True)
    again, _ = fit(12, keep_best=True, state=best, history=history[: int(best.epoch)])
    assert_equal(again, best)
    none_left, same = fit(int(best.epoch), keep_best=True, state=best, history=history)
    assert_equal(none_left, best)
    assert same == history[: int(best.epoch)]


def test_a_best_epoch_whose_parameters_are_unknown_is_refused():
    state, history = fit(12)
    best = 1 + int(np.argmin(losses_in(history)))
    with pytest.raises(ValueError, match=rf"epoch {best}, the best in the history: the state is"):
        fit(14, keep_best=True, state=state, history=history)
    with pytest.raises(ValueError, match="keep_best needs validation data"):
        training.fit(OBJECTIVE, OPTIMIZER, X, epochs=1, key=0, keep_best=True)


def test_equal_losses_count_as_in_early_stopping():
    still = optax.sgd(0.0)
    state, history = training.fit(
        OBJECTIVE, still, X, epochs=9, key=0, keep_best=True, patience=2, **OPTIONS
    )
    assert (int(state.epoch), len(history)) == (1, 3)


@pytest.mark.parametrize("value", [True, np.bool_(True), jnp.bool_(True)])
def test_a_callback_stops_training_by_returning_true(value):
    seen = []

    def stop(_, record):
        return value if record["epoch"] == 2 else None

    state, history = fit(9, callbacks=[stop, lambda _, record: seen.append(record["epoch"])])
    assert int(state.epoch) == len(history) == 2
    assert seen == [1, 2]  # callbacks after the one that stops are called too


@pytest.mark.parametrize("value", [None, False, 1, 80, "text", np.True_[None], jnp.ones(())])
def test_other_results_of_callbacks_do_not_stop(value):
    _, history = fit(2, callbacks=[lambda *_: value])
    assert len(history) == 2


def test_nothing_is_printed_unless_progress_is_asked_for(capsys):
    fit(2)
    assert capsys.readouterr() == ("", "")
    fit(2, progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-1].startswith("epoch 2/2: loss ")
