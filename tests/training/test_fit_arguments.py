"""Arguments of training: equivalent types are accepted, others are refused."""

import jax
import numpy as np
import optax
import pytest

import aejax
from aejax import losses, training
from aejax.training import Stream
from aejax.training.fit_arguments import (
    check_callbacks,
    check_objective,
    check_optimizer,
    check_state,
)

X = np.random.default_rng(0).random((20, 6), np.float32)
OPTIMIZER = optax.adam(1e-2)


def composed(*sizes: int) -> aejax.Objective:
    return aejax.objective(aejax.dense(sizes), losses.squared)


OBJECTIVE = composed(6, 3)


@pytest.mark.parametrize(
    ("optimizer", "given"),
    [
        ("adam", "got 'adam'"),
        (optax.adam, "got the function adam instead of its result"),
        (optax.GradientTransformation, "got the function GradientTransformation"),
        (None, "got NoneType"),
        (1e-3, "got float"),
    ],
)
def test_invalid_optimizers_are_refused(optimizer, given):
    with pytest.raises(ValueError, match=f"optax.GradientTransformation, such as .*{given}"):
        check_optimizer(optimizer)


@pytest.mark.parametrize(
    "optimizer", [OPTIMIZER, optax.lbfgs(), optax.MultiSteps(OPTIMIZER, every_k_schedule=2)]
)
def test_every_kind_of_optimizer_is_accepted(optimizer):
    check_optimizer(optimizer)


@pytest.mark.parametrize("objective", [OBJECTIVE.model, losses.squared, None, check_objective])
def test_invalid_objectives_are_refused(objective):
    with pytest.raises(ValueError, match=r"must be aejax.objective\(model, loss\), got"):
        check_objective(objective)


@pytest.mark.parametrize("callbacks", [print, [1], "print", None])
def test_callbacks_must_be_a_sequence_of_functions(callbacks):
    check_callbacks([print])
    check_callbacks(())
    with pytest.raises(ValueError, match="callbacks must be a list of functions"):
        check_callbacks(callbacks)


@pytest.mark.parametrize(
    ("sizes", "optimizer", "message"),
    [
        ((6, 4), OPTIMIZER, r"another model: the array at \['decoder'\].*shape \[4, 6\].*\[3, 6\]"),
        ((6, 4, 3), OPTIMIZER, "another model"),
        ((7, 3), OPTIMIZER, "another model"),
        ((6, 3), optax.sgd(0.1), r"another optimizer.*has shape none \(it is missing\)"),
        ((6, 3), optax.sgd(0.1, momentum=0.9), "another optimizer"),
    ],
)
def test_states_of_other_models_or_optimizers_are_refused_by_their_first_array(
    sizes, optimizer, message
):
    state = training.init_state(composed(*sizes), optimizer, jax.random.key(0))
    with pytest.raises(ValueError, match=f"the state belongs to {message}"):
        check_state(OBJECTIVE, OPTIMIZER, state)
    check_state(composed(*sizes), optimizer, state)


def test_params_are_not_accepted_as_a_state():
    with pytest.raises(ValueError, match="must be a TrainState from fit or init_state, got"):
        check_state(OBJECTIVE, OPTIMIZER, OBJECTIVE.model.init(jax.random.key(0)))


def test_states_of_models_whose_init_cannot_be_traced_are_accepted():
    drawn = OBJECTIVE.model.init(jax.random.key(0))
    model = OBJECTIVE.model._replace(
        init=lambda key: drawn if float(jax.random.uniform(key)) else {}
    )
    objective = aejax.objective(model, losses.squared)
    check_state(objective, OPTIMIZER, training.init_state(objective, OPTIMIZER, 0))


def test_params_need_not_be_dicts():
    model = aejax.Autoencoder(
        lambda key: (jax.random.normal(key, (6, 2)),),
        lambda params, x: x @ params[0],
        lambda params, code: code @ params[0].T,
    )
    objective = aejax.objective(model, losses.squared)
    state, history = training.fit(objective, OPTIMIZER, X, key=0, epochs=2)
    assert isinstance(state.params, tuple)
    assert np.isfinite(history[-1]["loss"])


def same(a: training.TrainState, b: training.TrainState) -> None:
    jax.tree.map(np.testing.assert_array_equal, a.params, b.params)


def test_equivalent_argument_types_train_identically():
    plain, _ = training.fit(
        OBJECTIVE, OPTIMIZER, aejax.Batch(X), key=jax.random.key(3), epochs=2, batch_size=8
    )
    counts = {"epochs": np.int64(2), "batch_size": np.int32(8)}
    near, _ = training.fit(OBJECTIVE, OPTIMIZER, X.astype(">f4"), key=3, **counts)
    same(plain, near)
    old, _ = training.fit(OBJECTIVE, OPTIMIZER, X, key=jax.random.PRNGKey(3), **counts)
    same(plain, old)


def test_a_stream_may_read_x_alone_in_any_byte_order():
    options = {"key": 3, "epochs": 2}
    plain = Stream(lambda rows: aejax.Batch(X[rows]), 20, 8)
    near = Stream(lambda rows: X[rows].astype(">f4"), np.int64(20), np.int32(8))
    a, _ = training.fit_stream(OBJECTIVE, OPTIMIZER, plain, **options)
    b, _ = training.fit_stream(OBJECTIVE, OPTIMIZER, near, **options)
    same(a, b)


def test_a_stream_that_reads_another_number_of_examples_is_refused():
    with pytest.raises(ValueError, match="requested 8 examples, got 3"):
        training.fit_stream(OBJECTIVE, OPTIMIZER, Stream(lambda _: X[:3], 20, 8), key=0, epochs=1)


def make(rate):
    return OBJECTIVE, optax.sgd(rate)


def test_batch_size_defaults_to_128_or_all_examples():
    many = np.tile(X, (10, 1))
    for data, steps in ((X, 1), (many, 2)):
        state, _ = training.fit(OBJECTIVE, OPTIMIZER, data, key=0, epochs=1)
        assert int(state.step) == steps
        members, _ = training.fit_population(
            make, data, hyperparameters=np.array([0.1]), key=0, epochs=1
        )
        assert members.step.tolist() == [steps]
        _, ((record,),) = training.pretrain([(OBJECTIVE, OPTIMIZER)], data, key=0, epochs=1)
        assert record["step"] == steps


@pytest.mark.parametrize("name", ["epochs", "batch_size", "patience"])
def test_counts_that_are_not_integers_are_refused_by_name(name):
    options = {"epochs": 1, "batch_size": 8, "patience": 1, name: np.float64(2)}
    with pytest.raises((ValueError, TypeError), match=f"{name}"):
        training.fit(OBJECTIVE, OPTIMIZER, X, key=0, validation=X, **options)


def test_make_must_return_objective_and_optimizer():
    with pytest.raises(
        ValueError, match=r"make must return \(objective, optimizer\), got Objective"
    ):
        training.fit_population(
            lambda rate: OBJECTIVE, X, hyperparameters=np.array([0.1]), key=0, epochs=1
        )


def test_long_doubles_train_as_doubles():
    data = np.random.default_rng(0).random((8, 3)).astype(np.longdouble)
    objective = aejax.objective(aejax.dense((3, 2)), aejax.losses.squared)
    _, history = aejax.training.fit(objective, optax.sgd(0.1), data, epochs=1, key=0)
    assert np.isfinite(history[0]["loss"])


def test_a_gradient_factory_is_refused():
    objective = aejax.objective(aejax.dense((3, 2)), losses.squared)
    options = {"epochs": 1, "key": 0, "gradient_of": training.accumulated}
    with pytest.raises(ValueError, match=r"gradient_of is called with .*; call a factory first"):
        training.fit(objective, optax.sgd(0.1), np.ones((4, 3)), **options)
    stream = Stream(lambda rows: np.ones((len(rows), 3)), 4, 2)
    with pytest.raises(ValueError, match=r"gradient_of is called with .*; call a factory first"):
        training.fit_stream(objective, optax.sgd(0.1), stream, **options)
