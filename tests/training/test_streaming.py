"""Training on streams: order of examples, resumption, and equality with `fit`."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import aejax
from aejax import Batch, checkpoints, corruptions, losses, penalties, training
from aejax.training import ONE_DEVICE, Stream, stream_batches, streaming

KEY = jax.random.key(0)
X = np.random.default_rng(0).random((50, 6), np.float32)
OBJECTIVE = aejax.objective(
    aejax.dense((6, 4)),
    losses.bernoulli,
    corruption=corruptions.masking(rate=0.25),
    penalties={"sparsity": (0.1, penalties.kl_sparsity(rho=0.1))},
)
OPTIMIZER = optax.adam(1e-2)


@pytest.fixture(params=[1, 3])
def together(request, monkeypatch):
    """Number of steps per group."""
    monkeypatch.setattr(streaming, "STEP_GROUP_BYTES", request.param * X[:8].nbytes)
    return request.param


def recorded(batch_size: int = 8) -> tuple[Stream, list[np.ndarray]]:
    """A stream that records the indices of each read."""
    seen: list[np.ndarray] = []

    def read(rows: np.ndarray) -> Batch:
        seen.append(rows)
        return Batch(X[rows])

    return Stream(read, len(X), batch_size), seen


def fit(stream: Stream, epochs: int = 2, **options):
    options = {"key": KEY} | options
    return training.fit_stream(OBJECTIVE, OPTIMIZER, stream, epochs=epochs, **options)


def order(stream: Stream, step: int) -> np.ndarray:
    return stream_batches.shuffled_indices(stream, 7, range(step, step + 1))


def test_a_pass_reads_every_example_once_in_a_new_order():
    stream, _ = recorded()
    assert training.steps_per_pass(stream) == 7
    passes = [
        np.concatenate([order(stream, step) for step in range(7 * n, 7 * n + 7)]) for n in (0, 1)
    ]
    for each in passes:
        assert sorted(each.tolist()) == list(range(50))
        assert each.tolist() != list(range(50))
    assert passes[0].tolist() != passes[1].tolist()
    assert [len(order(stream, step)) for step in (0, 6, 13)] == [8, 2, 2]


def test_groups_are_full_batches_of_one_pass_and_one_epoch():
    stream, _ = recorded()
    groups = [*stream_batches.group_steps(stream, range(2, 17), epoch=5, together=3)]
    assert [(group.start, len(group)) for group in groups] == [
        (2, 3),
        (5, 1),  # the last full batch of a pass of 7 steps
        (6, 1),  # its remainder of 2 examples, and the end of an epoch of 5 steps
        (7, 3),
        (10, 1),  # two steps remain in the epoch
        (11, 1),
        (12, 1),  # one step remains in the pass
        (13, 1),
        (14, 3),
    ]
    for group in groups:
        one_by_one = np.concatenate([order(stream, step) for step in group])
        np.testing.assert_array_equal(stream_batches.shuffled_indices(stream, 7, group), one_by_one)


def test_the_group_size_in_bytes_determines_the_steps_per_group(together):
    stream, _ = recorded()
    batch = stream.read(np.arange(8))
    assert streaming.steps_per_group(stream, batch, 7, ONE_DEVICE) == together
    assert streaming.steps_per_group(stream, batch, 2, ONE_DEVICE) == 1  # fewer steps than a group


def test_training_on_a_stream_equals_steps_on_its_batches(together):
    stream, seen = recorded()
    state, history = fit(stream)
    expected = training.init_state(OBJECTIVE, OPTIMIZER, KEY)
    seed, losses_of_steps = stream_batches.order_seed(expected.key), []
    step = jax.jit(lambda state, batch: training.step(OBJECTIVE, OPTIMIZER, state, batch))
    for number in range(14):
        rows = stream_batches.shuffled_indices(stream, seed, range(number, number + 1))
        expected, measurements = step(expected, Batch(X[rows]))
        losses_of_steps.append((len(rows), float(measurements["loss"])))
    jax.tree.map(
        lambda found, wanted: np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-7),
        state.params,
        expected.params,
    )
    assert (int(state.step), int(state.epoch)) == (14, 2)
    assert max(map(len, seen)) == 8 * together
    weights, values = zip(*losses_of_steps[7:], strict=True)
    assert history[1]["loss"] == pytest.approx(np.average(values, weights=weights), rel=1e-5)
    assert list(history[1]) == list(fit_in_memory()[0])


def fit_in_memory():
    _, history = training.fit(
        OBJECTIVE, OPTIMIZER, Batch(X), key=KEY, epochs=1, batch_size=8, validation=None
    )
    return history


def trained(seen: list[np.ndarray]) -> list[tuple[int, ...]]:
    """Shuffled reads; consecutive indices were read by the checks and the compilation."""
    return sorted(tuple(rows.tolist()) for rows in seen if (np.diff(rows) != 1).any())


def test_a_resumed_training_reads_exactly_the_remaining_examples(tmp_path, together):
    whole, seen = recorded()
    state, history = fit(whole, epochs=4, steps_per_epoch=5)

    first, seen_first = recorded()
    half, half_history = fit(first, epochs=2, steps_per_epoch=5)
    checkpoints.save(tmp_path, half, configuration={})
    half, _ = checkpoints.restore(tmp_path, half)

    second, seen_second = recorded()
    both, both_history = fit(
        second, epochs=4, steps_per_epoch=5, key=None, state=half, history=half_history
    )
    jax.tree.map(np.testing.assert_array_equal, state.params, both.params)
    assert [record["loss"] for record in history] == [record["loss"] for record in both_history]
    assert trained(seen) == sorted(trained(seen_first) + trained(seen_second))
    examples = [sum(map(len, trained(read))) for read in (seen_first, seen_second)]
    assert examples == [10 * 8 - 6, 10 * 8 - 6]  # a remainder of 2 in each


def test_steps_per_epoch_may_change_on_resumption(together):
    stream, _ = recorded()
    half, history = fit(stream, epochs=1, steps_per_epoch=4)
    _, history = fit(stream, epochs=3, steps_per_epoch=5, key=None, state=half, history=history)
    assert [record["step"] for record in history] == [4, 9, 14]


def test_validation_equals_evaluate():
    stream, _ = recorded()
    state, history = fit(stream, epochs=1, validation=stream)
    expected = training.evaluate(
        aejax.noiseless(OBJECTIVE), state.params, Batch(jnp.asarray(X)), state.key, batch_size=8
    )
    for name, value in history[0]["validation"].items():
        assert value == pytest.approx(float(expected[name]), rel=1e-5)


def test_exceptions_of_a_stream_are_raised_unchanged():
    def read(rows: np.ndarray) -> Batch:
        if rows.max() > 20:
            raise OSError("the cable is out")
        return Batch(X[rows])

    with pytest.raises(OSError, match="the cable is out"):
        fit(Stream(read, len(X), 8))


@pytest.mark.parametrize(
    ("stream", "options", "words"),
    [
        (Stream(lambda rows: Batch(X[rows]), 50, 51), {}, "batch size must lie between 1 and"),
        (Stream(lambda rows: Batch(2 * X[rows]), 50, 8), {}, "outside"),
        (recorded()[0], {"steps_per_epoch": 0}, "steps_per_epoch must be at least 1"),
        (recorded()[0], {"patience": 2}, "patience needs validation"),
        (recorded()[0], {"key": None}, "either key"),
    ],
)
def test_invalid_data_and_settings_are_refused(stream, options, words):
    with pytest.raises(ValueError, match=words):
        fit(stream, **options)


def test_non_finite_losses_are_reported_with_their_step():
    with pytest.raises(training.NonFiniteLossError) as caught:
        training.fit_stream(
            aejax.objective(aejax.dense((6, 2), activation=jax.nn.identity), losses.squared),
            optax.sgd(1e12),
            recorded()[0],
            epochs=3,
            key=KEY,
        )
    assert 1 < caught.value.step < 8
    assert caught.value.epoch == 1


@pytest.mark.parametrize(("examples", "batch_size"), [(50, 0), (50, -8), (0, 8)])
def test_empty_streams_are_refused(examples, batch_size):
    stream, _ = recorded()
    empty = stream._replace(examples=examples, batch_size=batch_size)
    for streams in ({"stream": empty}, {"stream": stream, "validation": empty}):
        with pytest.raises(ValueError, match="a stream needs at least one example and"):
            fit(**streams)
