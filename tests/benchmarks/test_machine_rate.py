"""Share of the machine's FLOP/s."""

import os
from itertools import pairwise

import jax
import jax.numpy as jnp
import pytest

from aejax import dense, losses, objective
from aejax.types import Batch
from benchmarks import machine_rate
from benchmarks.interleaved import interleaved

SIDE = 256


PRODUCTS = {
    "NumPy's float32 product": {"median": 2e-3},
    "PyTorch's float32 product": {"median": 4e-3},
    "XLA's float32 product": {"median": 3e-3},
    "PyTorch's bfloat16 product": {"median": 1e-3},
    "XLA's bfloat16 product": {"median": 8e-3},
}
"""2 · 100³ FLOP: at most 1 GFLOP/s in float32 and 2 in bfloat16."""


def test_the_rate_is_that_of_the_fastest_product():
    rates = machine_rate.machine_rates(PRODUCTS, side=100)
    assert rates == {"float32": pytest.approx(1e9), "bfloat16": pytest.approx(2e9)}
    slow = PRODUCTS | {"PyTorch's bfloat16 product": {"median": 1.0}}
    rates = machine_rate.machine_rates(slow, side=100)
    assert rates["bfloat16"] == rates["float32"] == pytest.approx(1e9)


def test_a_share_is_that_of_the_variants_precision():
    variants = PRODUCTS | {"single": {"median": 1.0}, "low": {"median": 0.5}}
    found = machine_rate.add_shares(
        variants, {"single": 2.5e8, "low": 5e8}, side=100, low_precision=["low"]
    )
    assert list(found) == ["single", "low"]
    assert [each["share"] for each in found.values()] == [0.25, 0.5]
    assert [each["GFLOP/s"] for each in found.values()] == [0.25, 1]
    assert [each["machine's GFLOP/s"] for each in found.values()] == [1, 2]


def test_a_share_above_one_fails():
    variants = PRODUCTS | {"single": {"median": 1.0}}
    with pytest.raises(ValueError, match=r"single: 1\.1 GFLOP/s are more than the 1 GFLOP/s"):
        machine_rate.add_shares(variants, {"single": 1.1e9}, side=100)
    machine_rate.add_shares(variants, {"single": 1.1e9}, side=100, low_precision=["single"])


def test_every_package_multiplies(monkeypatch):
    monkeypatch.setenv(machine_rate.SLOWED_KERNELS, "Haswell")
    with machine_rate.products(side=SIDE) as variants:
        found = interleaved(variants, rounds=2)
    assert {*found} == {*PRODUCTS}
    assert all(each["least"] > 0 for each in found.values())
    assert os.environ[machine_rate.SLOWED_KERNELS] == "Haswell"


def test_numpys_process_has_no_slowed_kernels(monkeypatch):
    monkeypatch.setenv(machine_rate.SLOWED_KERNELS, "Haswell")
    check = f"import os; assert {machine_rate.SLOWED_KERNELS!r} not in os.environ\n"
    monkeypatch.setattr(machine_rate, "NUMPY_PRODUCTS", check + machine_rate.NUMPY_PRODUCTS)
    with machine_rate.products(side=SIDE) as variants:
        variants["NumPy's float32 product"]()


def test_operations_are_those_of_the_compiled_gradient():
    sizes, rows = (64, 48, 16), 32
    trained = objective(dense(sizes), losses.squared)
    params, x = trained.model.init(jax.random.key(0)), jnp.ones((rows, sizes[0]))

    def gradient(params):
        return jax.grad(lambda params: trained(params, Batch(x), jax.random.key(0))[0])(params)

    text = str(jax.jit(gradient).lower(params).as_text())
    shapes = [line for line in text.splitlines() if "dot_general" in line]
    assert len(shapes) == 3 * 2 * (len(sizes) - 1) - 1  # the input has no gradient
    weights = 2 * sum(a * b for a, b in pairwise(sizes))
    assert machine_rate.training_operations(sizes) == 6 * weights - 2 * sizes[0] * sizes[1]
