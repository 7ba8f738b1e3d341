"""`repr` of records: structure, shapes, dtypes and counts, without values and addresses."""

import functools
import re
import statistics
from collections import namedtuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import aejax
from aejax import data, training
from aejax.data import Dataset, Normalisation
from aejax.repr_text import (
    bytes_text,
    entries_html,
    entries_text,
    function_text,
    tree_text,
    value_text,
)
from aejax.runs.configuration import Training
from aejax.runs.run import About, Run


def composed():
    return aejax.objective(
        aejax.dense((12, 5, 3)),
        aejax.losses.bernoulli,
        corruption=aejax.corruptions.masking(rate=0.25),
        penalties={"l2": (1e-4, aejax.penalties.l2())},
    )


def state():
    return training.init_state(composed(), optax.adam(1e-3), 0)


def dataset():
    x = np.full((40, 12), 0.123456, np.float32)
    return Dataset("mine.npy", x[:32], x[32:], low=0.0, high=1.0)


def run():
    about = About({"python": "3"}, "0" * 16, (12,))
    normalisation = Normalisation(np.zeros(12), np.ones(12))
    settings = Training(data="mine.npy", sizes=(12, 5, 3), epochs=7)
    return Run(settings, about, composed(), state().params, normalisation, 70)


RECORDS = {
    "objective": composed,
    "autoencoder": lambda: composed().model,
    "loss": lambda: composed().loss,
    "state": state,
    "data set": dataset,
    "normalisation": lambda: run().normalisation,
    "batch": lambda: aejax.Batch(jnp.full((4, 12), 0.123456), weight=jnp.ones(4)),
    "pass": lambda: aejax.forward(composed(), state().params, jnp.full((4, 12), 0.123456), 0),
    "run": run,
}


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_is_shown_in_a_few_lines_without_values_and_addresses(name):
    record = RECORDS[name]()
    text = repr(record)
    assert text.startswith(f"{type(record).__name__}(")
    assert not re.search(r"0x[0-9a-f]{4}|<function|<locals>|Array\(|array\(|0\.1234", text)
    assert len(text.splitlines()) <= 45
    assert max(map(len, text.splitlines())) <= 100


def test_an_objective_names_its_components_and_their_settings():
    text = repr(composed())
    assert "init=dense.init" in text
    assert "Loss(elementwise=bernoulli_cross_entropy, mean=sigmoid, support=(0.0, 1.0))" in text
    assert "corruption=masking.corrupt(rate=0.25)" in text
    assert "penalties={'l2': (0.0001, l2.penalty)}" in text
    assert "augmentation" not in text  # None


def test_a_state_counts_its_parameters_and_shows_its_counters():
    text = repr(state()._replace(step=jnp.int32(120), epoch=jnp.int32(4)))
    count = 12 * 5 + 5 + 5 * 3 + 3 + 3 * 5 + 5 + 5 * 12 + 12
    assert f"params=8 arrays, {count} elements, {4 * count} B" in text
    assert "encoder/layer_0/kernel: float32 [12, 5]" in text
    assert f"optimizer_state=17 arrays, {2 * count + 1} elements" in text
    assert "step=120," in text
    assert "epoch=4," in text


def test_a_population_is_counted():
    def make(rate):
        return composed(), optax.sgd(rate)

    rates, x = jnp.array([1e-3, 1e-2, 1e-1]), jnp.full((8, 12), 0.5)
    states, _ = training.fit_population(make, x, hyperparameters=rates, key=0, epochs=1)
    assert repr(states).startswith("TrainState(\n    members=3,\n")
    assert "encoder/layer_0/kernel: float32 [3, 12, 5]" in repr(states)


def test_a_data_set_shows_shapes_dtypes_and_bounds():
    lines = [line.strip() for line in repr(dataset()).splitlines()]
    assert lines == [
        *("Dataset(", "name='mine.npy',", "x_train=float32 [32, 12],", "x_test=float32 [8, 12],"),
        *("low=0.0,", "high=1.0,", ")"),
    ]


def test_a_run_shows_the_settings_that_are_not_the_default():
    text = repr(run())
    assert "data='mine.npy'" in text
    assert "sizes=(12, 5, 3)" in text
    assert "epochs=7" in text
    assert "learning_rate" not in text
    assert "step=70" in text
    assert "about" not in text


def test_records_remain_pytrees_that_are_equal_and_hashed_as_tuples():
    model = aejax.dense((4, 2))
    assert model == tuple(model)
    assert hash(model) == hash(tuple(model))
    batch = aejax.Batch(jnp.ones((2, 3)))
    assert jax.tree.structure(batch) == jax.tree.structure(jax.tree.map(lambda x: x + 1, batch))
    assert composed() != composed()  # by identity, so that it can be a static argument


def test_tracers_and_abstract_arrays_are_shown_by_dtype_and_shape():
    shown = []

    def look(params, step):
        shown.append(repr(state()._replace(params=params, step=step)))
        return params

    jax.jit(look)(jnp.ones((2, 3)), jnp.int32(3))
    assert "params=float32 [2, 3]" in shown[0]
    assert "step=int32 []" in shown[0]
    start = functools.partial(training.init_state, composed(), optax.adam(1e-3))
    assert "step=int32 []" in repr(jax.eval_shape(start, jax.random.key(0)))


def test_functions_are_named_without_addresses():
    class Layer:
        def __call__(self, x):
            return x

    assert function_text(jax.nn.relu) == "relu"
    assert function_text(jnp.tanh) == "tanh"
    assert function_text(np.exp) == "exp"
    assert function_text(functools.partial(statistics.quantiles, n=4)) == "partial(quantiles, n=4)"
    assert function_text(Layer()).endswith("Layer")
    assert function_text(Layer().__call__).endswith("Layer.__call__")
    sigma = jnp.float32(0.5)
    assert function_text(lambda x: x * sigma).endswith("<lambda>(sigma=0.5)")


def test_values_of_other_types():
    plain = namedtuple("plain", "a b")
    assert value_text(plain(np.ones(3), None)) == "1 array, 3 elements, 24 B\n    a: float64 [3]"
    assert value_text(plain(np.exp, "b")) == "plain(a=exp, b='b')"
    assert value_text(tuple(range(20))) == "(0, 1, 2, 3, 4, 5, 6, 7, … and 12 more)"
    assert value_text({"a": 1, "b": (2,)}) == "{'a': 1, 'b': (2,)}"
    assert value_text(jax.random.key(0)) == "key<fry> []"
    assert value_text([1, 2]) == "[1, 2]"


def test_long_trees_are_abridged():
    lines = tree_text({f"layer_{i}": jnp.ones((2, 2)) for i in range(10)}).splitlines()
    assert lines[0] == "10 arrays, 40 elements, 160 B"
    assert lines[-1] == "    … and 2 more"
    assert len(lines) == 10


def test_entries_are_on_one_line_if_they_fit():
    assert entries_text("A", {"x": "1", "y": "2"}) == "A(x=1, y=2)"
    assert entries_text("A", {"x": "1\n2"}) == "A(\n    x=1\n    2,\n)"


def test_bytes_have_binary_units():
    found = [bytes_text(count) for count in (0, 1023, 1024, 3 * 2**20, 2**50)]
    assert found == ["0 B", "1023 B", "1.0 KiB", "3.0 MiB", "1024.0 TiB"]


def test_data_sets_of_the_package_are_short():
    assert len(repr(data.digits()).splitlines()) <= 9


def test_a_stream_shows_shapes_and_dtypes_without_reading(tmp_path):
    np.save(tmp_path / "x.npy", np.zeros((10, 3), np.uint8))
    assert repr(data.open_stream(tmp_path / "x.npy")).replace("\n", "").count("uint8 [") == 2


def test_a_run_is_a_table_in_a_notebook():
    html = run()._repr_html_()
    assert html.startswith("<table><caption>Run on mine.npy</caption>")
    assert "<tr><th>step</th><td><pre>70</pre></td></tr>" in html
    assert "sizes=(12, 5, 3)" in html
    assert "&lt;" in entries_html("a", {"b": "<c>"})
