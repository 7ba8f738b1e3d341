"""`aejax train --recipe`: named settings, which other options override."""

import json
from dataclasses import replace
from importlib import import_module
from math import prod
from typing import get_args

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from aejax.cli.execution import parsed
from aejax.runs.builders import make_objective, make_optimizer, make_trained_objective
from aejax.runs.configuration import check, dumps, loads
from aejax.runs.default_settings import DataFacts, complete
from aejax.runs.recipes import RECIPES, RecipeName, fit_recipe
from aejax.types import Batch
from tests.cli.conftest import history_of

IMAGES = (28, 28)
EXPERIMENTS = {
    "linear": "pca_equivalence",
    "denoising": "denoising_filters",
    "sparse": "sparse_features",
    "contractive": "contractive_manifold",
    "deep": "depth",
}
"""Experiment whose settings a recipe must share, where its Config has a field of the same name."""


def test_help_has_a_line_for_every_recipe(aejax):
    assert set(get_args(RecipeName)) == RECIPES.keys()
    lines = [line.strip("│ ") for line in aejax("train --help").out.splitlines()]
    for name, recipe in RECIPES.items():
        assert any(line.startswith(f"{name}: {recipe.summary}") for line in lines), name


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_has_a_finite_gradient_on_images(name):
    training = RECIPES[name].training
    check(training)
    training = complete(training, DataFacts(IMAGES, 1000, 100, is_bounded=True))
    assert loads(dumps(training)) == training
    objective = make_trained_objective(training, IMAGES)
    optimizer = make_optimizer(training, 1000)

    def step(key):
        params = objective.model.init(key)
        batch = Batch(jnp.zeros((4, prod(IMAGES))))
        gradient, _ = jax.grad(objective, has_aux=True)(params, batch, key)
        updates, _ = optimizer.update(gradient, optimizer.init(params), params)
        return params, optax.apply_updates(params, updates)

    before, after = jax.eval_shape(step, jax.random.key(0))
    assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), before) == jax.tree.map(
        lambda leaf: (leaf.shape, leaf.dtype), after
    )


@pytest.mark.parametrize("name", [name for name in RECIPES if name.endswith("-dictionary")])
def test_a_dictionary_has_a_length_and_scale_that_fit_a_small_table(name):
    """A table of 129 rows fills its batches, has steps enough for dead units, and is scaled."""
    facts = DataFacts((13,), 129, 14, is_bounded=False, is_table=True)
    training = complete(RECIPES[name].training, facts)
    assert training.batch_size is not None
    assert training.batch_size <= 129
    steps = training.epochs * -(-129 // training.batch_size)
    assert steps >= 2000 > training.dictionary.dead_after
    assert training.normalise == "standardise"


def test_the_weight_of_l1_is_that_of_the_norm_of_an_input():
    for features, weight in ((64, 2.0), (13, 0.901)):
        facts = DataFacts((features,), 1000, 100, is_bounded=False)
        training = complete(RECIPES["relu-dictionary"].training, facts)
        assert training.dictionary.sparsity == weight


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_recipe_has_the_settings_of_its_experiment(name):
    training = RECIPES[name].training
    config = import_module(f"experiments.{EXPERIMENTS[name]}").Config()
    for setting in ("data", "epochs", "batch_size", "learning_rate"):
        assert getattr(training, setting) == getattr(config, setting, getattr(training, setting))
    for size in ("hidden", "code"):
        assert training.sizes[-1] == getattr(config, size, training.sizes[-1])


def test_options_override_recipe():
    words = "train --recipe sparse --epochs 3 --penalty.rho 0.1 --sizes 784 50"
    training = parsed(words.split()).training
    recipe = RECIPES["sparse"].training
    assert (training.epochs, training.penalty.rho, training.sizes) == (3, 0.1, (784, 50))
    assert training.penalty.sparsity == recipe.penalty.sparsity == 30
    assert training.learning_rate == recipe.learning_rate


def test_recipe_trains_and_is_reported(tmp_path, aejax):
    """With convolutions as well, so that one run covers all parts of the report."""
    data, out = tmp_path / "images.npy", tmp_path / "run"
    np.save(data, np.random.default_rng(0).random((20, 8, 8, 1), dtype=np.float32))
    small = f"--data {data} --batch-size 8 --sizes 64 6 3 --channels 4 --warm-up 1 --epochs 2"
    done = aejax(f"train --recipe thirty-numbers {small} --out", out)
    assert done.code == 0, done.err
    assert np.isfinite([record["loss"] for record in history_of(out)]).all()
    settings = json.loads((out / "configuration.json").read_text())
    assert (settings["loss"], settings["channels"]) == ("squared-logistic", [4])
    assert json.loads((out / "metrics.json").read_text())["code"] == 3
    reported = aejax("report", out)
    assert reported.code == 0, reported.err


def test_learning_rate_warms_up_then_decays_to_zero():
    """For a constant gradient, the length of Adam's step is the learning rate."""
    recipe = RECIPES["thirty-numbers"].training
    optimizer = make_optimizer(recipe, 1000)

    def step(state, _):
        update, state = optimizer.update(jnp.ones(()), state)
        return state, -update

    _, rates = jax.lax.scan(step, optimizer.init(jnp.zeros(())), length=1000)
    steps = np.arange(1000)
    wanted = np.where(steps < 50, steps / 50, 0.5 + 0.5 * np.cos(np.pi * (steps - 50) / 950))
    np.testing.assert_allclose(rates, recipe.learning_rate * wanted, rtol=1e-3, atol=1e-8)


def test_mixed_precision_applies_only_to_training():
    training = replace(RECIPES["thirty-numbers"].training, sizes=(784, 5))
    makes = (make_objective, make_trained_objective)
    full, mixed = (make(training, IMAGES).model for make in makes)
    params = full.init(jax.random.key(0))
    x = jax.random.uniform(jax.random.key(1), (2, prod(IMAGES)))
    assert np.max(np.abs(full.encode(params, x) - mixed.encode(params, x))) > 1e-4
    deep = RECIPES["deep"].training
    full, trained = (make(deep, IMAGES).model for make in makes)
    params = full.init(jax.random.key(0))
    np.testing.assert_array_equal(full.encode(params, x), trained.encode(params, x))


def test_refined_code_has_a_lower_reconstruction_error():
    training = RECIPES["refined"].training
    refined, plain = (
        make_objective(replace(training, refinement_steps=steps), IMAGES) for steps in (4, 0)
    )
    params, x = plain.model.init(jax.random.key(0)), jnp.full((2, prod(IMAGES)), 0.3)
    key = jax.random.key(1)
    errors = [jax.jit(objective)(params, Batch(x), key)[0] for objective in (refined, plain)]
    assert errors[0] < errors[1]


@pytest.mark.parametrize("name", ["variational", "refined", "vector-quantised", "topk-dictionary"])
def test_a_recipe_is_fitted_to_other_data(name):
    """It has their number of features, and no batch that exceeds them; given settings are kept."""
    facts = DataFacts((5, 4), 60, 7, is_bounded=True)
    recipe = RECIPES[name]
    fitted = complete(fit_recipe(recipe.training, recipe, facts), facts)
    assert make_objective(fitted, (5, 4)).model.init(jax.random.key(0))
    assert fitted.sizes[1:-1] == recipe.training.sizes[1:-1] or not recipe.training.sizes
    assert fitted.batch_size is not None
    assert fitted.batch_size <= 60
    given = replace(recipe.training, sizes=(784, 3), batch_size=61)
    assert fit_recipe(given, recipe, facts) == replace(given, decoder_sizes=fitted.decoder_sizes)
    mnist = DataFacts(IMAGES, 54_000, 6_000, is_bounded=True)
    assert fit_recipe(recipe.training, recipe, mnist) == recipe.training


def test_a_variational_recipe_trains_on_a_small_table_and_resumes(tmp_path, aejax):
    x = np.random.default_rng(0).normal(size=(70, 6))
    np.save(tmp_path / "table.npy", x)
    words = f"train --recipe variational --data {tmp_path / 'table.npy'} --epochs 2 --out"
    done = aejax(words, tmp_path / "run")
    assert done.code == 0, done.err
    assert "fitted to the data: layers of 6 200 200 50 units, batches of 8 examples" in done.err
    assert "PCA: skipped, since its components are not comparable" in done.out
    settings = json.loads((tmp_path / "run" / "configuration.json").read_text())
    assert (settings["sizes"], settings["batch_size"]) == ([6, 200, 200, 50], 8)
    assert aejax("train --resume --out", tmp_path / "run").code == 0
    refused = aejax(f"{words.replace('--out', '--sizes 7 2 --out')}", tmp_path / "other")
    assert "the data have 6 features, but sizes start with 7" in refused.err


@pytest.mark.parametrize("name", [name for name in RECIPES if name.endswith("-quantised")])
def test_a_discrete_code_has_a_scale_and_batches_that_fit_a_small_table(name):
    facts = DataFacts((13,), 129, 14, is_bounded=False, is_table=True)
    training = complete(RECIPES[name].training, facts)
    assert (training.normalise, training.batch_size, training.warm_up) == ("standardise", 8, 10.0)
    assert (training.sizes, training.code_activation) == ((13, 128, 4), "identity")
    images = complete(RECIPES[name].training, DataFacts(IMAGES, 54_000, 6_000, is_bounded=True))
    assert (images.normalise, images.loss) == ("unit-range", "squared")
    assert (images.batch_size, images.sizes) == (128, (784, 128, 16))
