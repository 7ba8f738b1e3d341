"""Settings of variational autoencoders: objectives, recipes, sweeps over β and the command."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import aejax
from aejax import losses, penalties, posteriors, runs
from aejax.cli import main
from aejax.runs.builders import make_objective
from aejax.runs.configuration import Options, check, dumps, fixed_settings, loads
from aejax.runs.default_settings import DataFacts, complete
from aejax.runs.recipes import RECIPES
from aejax.runs.sweep_programs import _weight
from aejax.runs.variational_settings import VariationalSettings

FACTS = DataFacts((8, 8), 100, 10, is_bounded=True)
X = (np.random.default_rng(0).random((5, 64)) < 0.5).astype(np.float32)
KEY = jax.random.key(0)


def settings(**values):
    posterior = {"posterior": "diagonal"} | values
    return complete(Options(code=3, variational=VariationalSettings(**posterior)), FACTS)


@pytest.mark.parametrize(
    ("values", "penalty"),
    [
        ({"beta": 2.0, "free_bits": 0.1}, penalties.divergence),
        ({"samples": 4}, penalties.importance_weighted),
    ],
)
def test_settings_compose_the_objective(values, penalty):
    training = settings(**values)
    assert (training.loss, training.normalise, training.linear_path) == (
        "bernoulli",
        "unit-range",
        False,
    )
    assert loads(dumps(training)) == training
    posterior = posteriors.diagonal_gaussian()
    term = (
        (1.0, penalty(losses.bernoulli, posterior, samples=4))
        if "samples" in values
        else (2.0, penalty(posterior, free_bits=0.1))
    )
    name = "bound" if "samples" in values else "divergence"
    expected = aejax.objective(
        aejax.variational((64, 128, 3)),
        losses.bernoulli,
        perturbation=posterior.sample,
        penalties={name: term},
    )
    found = make_objective(training, (8, 8))
    params = found.model.init(KEY)
    np.testing.assert_allclose(found(params, X, KEY)[0], expected(params, X, KEY)[0], rtol=1e-6)


def test_recipes_binarise_and_have_the_layers_of_their_source():
    for name, penalty in (("variational", "divergence"), ("importance-weighted", "bound")):
        training = RECIPES[name].training
        assert training.sizes == (784, 200, 200, 50)
        objective = make_objective(training, (28, 28))
        assert list(objective.penalties) == [penalty]
        record = aejax.forward(objective, objective.model.init(KEY), jnp.full((2, 784), 0.5), KEY)
        assert set(np.unique(record.batch.x)) == {0.0, 1.0}


def test_a_swept_beta_is_the_weight_of_the_divergence():
    assert _weight({"variational.beta": 3.0}, "divergence", 1.0) == 3.0
    assert _weight({"variational.beta": 3.0}, "l2", 1.0) == 1.0


def test_unused_settings_are_not_part_of_earlier_runs():
    plain = complete(Options(), FACTS)
    assert not any(name.startswith("variational") for name in fixed_settings(plain))
    assert fixed_settings(settings(beta=3.0))["variational.beta"] == 3.0


@pytest.mark.parametrize(
    ("posterior", "second"), [("full-covariance", (3, 3)), ("von-mises-fisher", ())]
)
def test_the_command_trains_each_posterior_whose_run_encodes_and_reconstructs(
    posterior, second, tmp_path
):
    x = np.random.default_rng(0).random((40, 4, 4)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    words = f"train --data {tmp_path / 'x.npy'} --sizes 16 6 3 --epochs 2 --quiet "
    words += f"--normalise unit-range --loss bernoulli --variational.posterior {posterior}"
    assert main([*words.split(), "--out", str(tmp_path / "run")]) == 0
    run = runs.open(tmp_path / "run")
    code = runs.encode(run, x)
    assert [array.shape for array in code] == [(40, 3), (40, *second)]
    assert runs.reconstruct(run, x).shape == x.shape
    codes = tmp_path / "codes.npy"
    assert (
        main(["encode", str(tmp_path / "run"), str(tmp_path / "x.npy"), "--out", str(codes)]) == 0
    )
    np.testing.assert_array_equal(np.load(codes), code[0])  # the mean or the direction


def test_contradictory_settings_are_refused():
    with pytest.raises(ValueError, match=r"say --variational\.posterior, such as diagonal"):
        check(Options(variational=VariationalSettings(beta=2.0)))
    for values, message in (
        ({"beta": -1.0}, r"variational\.beta must be 0 or more"),
        ({"samples": 0}, r"variational\.samples must be 1 or more"),
        ({"samples": 2, "beta": 2.0}, "has no weight of a divergence"),
    ):
        with pytest.raises(ValueError, match=message):
            settings(**values)
    training = settings()
    for change, message in (
        ({"tied": True}, "no use for --tied"),
        ({"channels": (4,)}, "no use for --channels"),
        ({"penalty": replace(training.penalty, l1=0.1)}, r"only --penalty\.l2"),
        (
            {
                "variational": replace(training.variational, binarise=True),
                "normalise": "standardise",
            },
            "--normalise unit-range",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            make_objective(replace(training, **change), (8, 8))
