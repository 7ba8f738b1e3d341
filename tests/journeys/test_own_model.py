"""Journey 3: a model of one's own in a file: train, kill, resume, report, explore, encode."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from tests.cli.conftest import history_of, state_of
from tests.journeys.journey import explore, kill_after_checkpoint, run, shell, write

LINEN = """
import jax, jax.numpy as jnp
from flax import linen
import aejax
from aejax import losses

def make(features: int, code: int = 8, width: int = 32):
    encoder = linen.Sequential([linen.Dense(width), linen.gelu, linen.Dense(code)])
    decoder = linen.Sequential([linen.Dense(width), linen.gelu, linen.Dense(features)])
    model = aejax.Autoencoder(
        init=lambda key: {
            "encoder": encoder.init(key, jnp.zeros((1, features))),
            "decoder": decoder.init(jax.random.fold_in(key, 1), jnp.zeros((1, code))),
        },
        encode=lambda params, x: encoder.apply(params["encoder"], x),
        decode=lambda params, code: decoder.apply(params["decoder"], code),
    )
    return aejax.objective(model, losses.bernoulli)
"""

NNX = """
import jax
from flax import nnx
import aejax
from aejax import losses

class Module(nnx.Module):
    def __init__(self, features, code, width, rngs):
        self.encoder = nnx.Sequential(
            nnx.Linear(features, width, rngs=rngs), nnx.gelu, nnx.Linear(width, code, rngs=rngs)
        )
        self.decoder = nnx.Sequential(
            nnx.Linear(code, width, rngs=rngs), nnx.gelu, nnx.Linear(width, features, rngs=rngs)
        )

def make(features: int, code: int = 8, width: int = 32):
    def module(rngs):
        return Module(features, code, width, rngs)

    graph = nnx.graphdef(module(nnx.Rngs(0)))
    model = aejax.Autoencoder(
        init=lambda key: nnx.to_pure_dict(nnx.state(module(nnx.Rngs(key)))),
        encode=lambda params, x: nnx.merge(graph, params).encoder(x),
        decode=lambda params, code: nnx.merge(graph, params).decoder(code),
    )
    return aejax.objective(model, losses.bernoulli)
"""

EQUINOX = """
import equinox as eqx
import jax
import aejax
from aejax import losses

class Module(eqx.Module):
    encoder: eqx.nn.MLP
    decoder: eqx.nn.MLP

    def __init__(self, features, code, width, key):
        keys = jax.random.split(key)
        self.encoder = eqx.nn.MLP(features, code, width, 1, activation=jax.nn.gelu, key=keys[0])
        self.decoder = eqx.nn.MLP(code, features, width, 1, activation=jax.nn.gelu, key=keys[1])

def make(features: int, code: int = 8, width: int = 32):
    def module(key):
        return Module(features, code, width, key)

    _, static = eqx.partition(module(jax.random.key(0)), eqx.is_inexact_array)
    model = aejax.Autoencoder(
        init=lambda key: eqx.filter(module(key), eqx.is_inexact_array),
        encode=lambda params, x: jax.vmap(eqx.combine(params, static).encoder)(x),
        decode=lambda params, code: jax.vmap(eqx.combine(params, static).decoder)(code),
    )
    return aejax.objective(model, losses.bernoulli)
"""

SAVED, EPOCHS, CODE = 10, 100, 6
"""Number of epochs between checkpoints and in total, and the size of the code."""

TRAIN = (
    f"aejax train my_model.py:make --data digits.npy --code {CODE} --learning-rate 0.01 "
    f"--save-every {SAVED} --epochs {EPOCHS} --out"
)
RESUME = "aejax train --resume --out runs/own"
USE = """
aejax report runs/own --out report.html
aejax encode runs/own digits.npy --out codes.csv
"""


@pytest.mark.slow
@pytest.mark.parametrize("model", [LINEN, NNX, EQUINOX], ids=["linen", "nnx", "equinox"])
def test_an_own_model(journey, model):
    digits = load_digits().data.astype(np.float32)
    np.save(journey.folder / "digits.npy", digits)
    write(journey, "my_model.py", model)
    out, whole = journey.folder / "runs" / "own", journey.folder / "runs" / "whole"
    kill_after_checkpoint(journey, f"{TRAIN} runs/own", out)
    at_kill = (out / "history.jsonl").read_text(encoding="utf-8").splitlines()
    assert SAVED <= len(at_kill) < EPOCHS
    shell(journey, RESUME)
    resumed = (out / "history.jsonl").read_text(encoding="utf-8").splitlines()
    assert resumed[:SAVED] == at_kill[:SAVED]  # with their durations: not trained again
    run(journey, [*TRAIN.split(), "runs/whole"])
    assert history_of(out) == history_of(whole)
    assert state_of(out) == state_of(whole)
    shell(journey, USE)
    assert "my_model.py" in (journey.folder / "report.html").read_text(encoding="utf-8")
    codes = np.loadtxt(journey.folder / "codes.csv", delimiter=",", skiprows=1)
    assert codes.shape == (len(digits), CODE)
    assert np.isfinite(codes).all()
    page, description, example = explore(journey, "runs/own")
    assert "<html" in page
    assert len(description["units"]) == len(example["code"]) == CODE
    assert np.isfinite(example["x_hat"]).all()
