"""Summaries of models: parameters counted by PyTorch or by hand, shapes of code and output."""

from itertools import pairwise

import jax
import jax.numpy as jnp
import pytest
import torch
from flax import nnx
from jaxtyping import TypeCheckError

import aejax
from aejax.types import Autoencoder


def test_a_deep_dense_model_has_the_parameters_of_pytorch():
    sizes = (64, 33, 17, 5)
    pairs = [*pairwise(sizes), *pairwise(sizes[::-1])]
    expected = sum(
        parameter.numel() for pair in pairs for parameter in torch.nn.Linear(*pair).parameters()
    )
    found = aejax.summary(aejax.dense(sizes), 64)
    assert found.size == expected
    assert found.nbytes == 4 * expected
    assert found.shapes == {
        "input": "float32 [batch, 64]",
        "code": "float32 [batch, 5]",
        "output": "float32 [batch, 64]",
    }


def test_the_table_lists_paths_shapes_and_totals():
    lines = repr(aejax.summary(aejax.dense((1000, 30)), (1000,))).splitlines()
    assert lines[0].split() == ["parameter", "shape", "dtype", "count"]
    assert lines[2].split() == ["decoder/layer_0/kernel", "[30,", "1000]", "float32", "30,000"]
    assert lines[5].split() == ["total", "238.4", "KiB", "61,030"]
    assert lines[-1] == "output  float32 [batch, 1000]"
    assert len({len(line) for line in lines[:6]}) == 1


def test_an_objective_is_summarised_by_its_model():
    objective = aejax.objective(aejax.dense((6, 2)), aejax.losses.squared)
    assert aejax.summary(objective, [6]) == aejax.summary(objective.model, 6)


def test_a_code_of_several_arrays_has_a_line_for_each():
    def encode(params, x):
        return {"mean": x @ params, "log_variance": jnp.zeros((len(x), 3))}

    model = Autoencoder(lambda key: jnp.ones((7, 3)), encode, lambda p, code: code["mean"] @ p.T)
    shapes = aejax.summary(model, 7).shapes
    assert shapes["code/mean"] == shapes["code/log_variance"] == "float32 [batch, 3]"
    assert shapes["output"] == "float32 [batch, 7]"


def test_nothing_is_computed():
    model = aejax.dense((100_000, 100_000))  # 80 GB of parameters
    assert aejax.summary(model, 100_000).size == 2 * (10**10 + 10**5)


def test_convolutional_models_have_the_shapes_that_they_compute():
    model = aejax.convolutional((8, 8, 1), (4,), units=(5,))
    params = model.init(jax.random.key(0))
    code = model.encode(params, jnp.zeros((2, 8, 8, 1)))
    found = aejax.summary(model, (8, 8, 1))
    assert found.shapes["code"] == f"float32 [batch, {', '.join(map(str, code.shape[1:]))}]"
    assert found.shapes["output"] == "float32 [batch, 8, 8, 1]"
    assert found.size == sum(leaf.size for leaf in jax.tree.leaves(params))


def test_parameters_of_any_tree_are_listed():
    layer = nnx.Linear(4, 3, rngs=nnx.Rngs(0))
    state = nnx.state(layer, nnx.Param)
    given = {"layer": state, "scales": (jnp.ones((2,), jnp.float16), None), "name": "mine"}
    found = aejax.summary(aejax.dense((4, 3)), given)
    assert found.shapes == {}
    assert sorted((row.size, row.dtype) for row in found.parameters) == [
        (2, "float16"),
        (3, "float32"),
        (12, "float32"),
    ]
    assert found.nbytes == 4 + 12 + 48
    assert "scales/0" in [row.path for row in found.parameters]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((aejax.dense((4, 2)), (2, 2)), r"does not accept examples of shape \[2, 2\]"),
        ((aejax.dense((4, 2)), 0), "must be positive"),
        ((aejax.dense((4, 2)), {"a": "b"}), "no arrays in the parameters.*got dict"),
        ((aejax.dense((4, 2)), ()), "no arrays"),
    ],
)
def test_bad_arguments_are_refused(arguments, words):
    with pytest.raises(ValueError, match=words):
        aejax.summary(*arguments)


def test_a_factory_is_no_model():
    with pytest.raises((ValueError, TypeCheckError), match="Autoencoder"):
        aejax.summary(aejax.dense, 4)  # pyright: ignore[reportArgumentType]
