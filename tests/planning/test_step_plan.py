"""Plans for the CPU against hand counts; for TPUs and GPUs where their compilers are installed."""

import json
import os
from importlib.util import find_spec

import jax
import optax
import pytest

import aejax
from aejax import losses, planning, sharding, training
from aejax.planning.compiled_steps import epoch_examples, refusal_of
from aejax.planning.plan_records import sentences
from aejax.planning.targets import CHIPS
from aejax.planning.topology_devices import PLUGINS

OBJECTIVE = aejax.objective(aejax.dense((64, 32, 8)), losses.bernoulli)
X = jax.ShapeDtypeStruct((1024, 64), "float32")
KERNELS = 2 * (64 * 32 + 32 * 8)
PARAMETERS = KERNELS + 32 + 8 + 32 + 64
GRADIENTS = 3 * KERNELS - 64 * 32
"""Elements of the kernels per product: forward, backward to each kernel, and to its input."""


def needs(platform: str):
    """Skip a test without the compiler, or where JAX may look for the GPUs that it is for."""
    missing = not any(map(find_spec, PLUGINS[platform]))
    elsewhere = platform == "cuda" and os.environ.get("JAX_PLATFORMS") != "cpu"
    reason = f"XLA's compiler for {platform} is not installed, or JAX_PLATFORMS is not cpu"
    return pytest.mark.skipif(missing or elsewhere, reason=reason)


def test_memory_and_operations_of_a_step_match_a_hand_count():
    found = planning.plan(OBJECTIVE, optax.adam(1e-3), X, target="cpu", batch_size=128)
    assert found.memory.parameters == 4 * PARAMETERS
    assert found.memory.examples == 4 * 128 * 64
    assert 2 * 4 * PARAMETERS < found.memory.optimizer_state < 2 * 4 * PARAMETERS + 64
    assert found.counts.operations == 2 * 128 * GRADIENTS
    assert found.counts.host_transfers == 0
    assert found.fits
    assert found.collectives == ()
    assert found.roofline is None  # the peak figures of this machine are not known
    json.dumps(planning.as_json(found))


def test_the_default_batch_size_is_that_of_fit():
    found = planning.plan(OBJECTIVE, optax.sgd(0.1), X, target="cpu")
    assert found.batch_size == 128


def test_accumulation_reduces_the_temporaries():
    wide = aejax.objective(aejax.dense((64, 512)), losses.bernoulli)
    plans = [
        planning.plan(
            wide, optax.sgd(0.1), X, target="cpu", batch_size=1024, gradient_of=gradient_of
        )
        for gradient_of in (training.whole_batch, training.accumulated(part_size=64))
    ]
    assert plans[1].memory.temporaries < plans[0].memory.temporaries / 2
    assert plans[1].counts.operations == plans[0].counts.operations


def test_an_epoch_has_the_operations_of_its_steps():
    x = jax.ShapeDtypeStruct((1000, 64), "float32")  # seven batches, and the remaining 104
    found = planning.plan_epoch(OBJECTIVE, optax.adam(1e-3), x, target="cpu", batch_size=128)
    assert found.steps == 8
    assert found.memory.examples == 4 * 1000 * 64
    assert found.counts.operations == 2 * 1000 * GRADIENTS
    assert found.counts.loops > 0
    assert found.fits


def test_a_step_has_no_more_examples_than_there_are():
    x = jax.ShapeDtypeStruct((10, 64), "float32")
    found = planning.plan(OBJECTIVE, optax.adam(1e-3), x, target="cpu", batch_size=64)
    assert (found.batch_size, found.counts.operations) == (10, 2 * 10 * GRADIENTS)


def test_the_examples_of_an_epoch_are_divided_as_fit_divides_them():
    mesh = jax.sharding.AbstractMesh((4, 2), ("data", "model"))
    placement = sharding.data_parallel(mesh)
    blocks, rest = epoch_examples(jax.ShapeDtypeStruct((1003, 64), "float32"), placement)
    assert blocks.x.sharding.shard_shape(blocks.x.shape) == (250, 64)
    assert rest.x.sharding.shard_shape(rest.x.shape) == (3, 64)


def test_a_batch_that_the_devices_cannot_share_is_refused():
    place = training.Placement(lambda _: None, None, lambda model: model, shares=3)
    with pytest.raises(ValueError, match="must be a multiple of 3"):
        planning.plan(
            OBJECTIVE, optax.sgd(0.1), X, target="cpu", batch_size=128, place=lambda _: place
        )


@pytest.mark.parametrize(
    "sizes",
    [
        "CompileTimeHbmOom: the program (97.25G) exceeds available HBM (15.75G).",
        "Ran out of memory in memory space hbm. Used 97.25G of 15.75G hbm.",
    ],
)
def test_refusals_of_the_compiler_are_read(sizes):
    found = refusal_of(f"RESOURCE_EXHAUSTED: {sizes}\n\nTotal …")
    assert (found.needed, found.available) == (round(97.25 * 2**30), round(15.75 * 2**30))
    assert found.message.endswith(sizes)


def test_other_errors_are_no_refusals_and_sizes_may_be_missing():
    assert refusal_of("INTERNAL: something else") is None
    assert refusal_of("RESOURCE_EXHAUSTED: no sizes") == (
        None,
        None,
        "RESOURCE_EXHAUSTED: no sizes",
    )


@pytest.mark.parametrize(
    "target",
    [
        pytest.param("v5e:1x1", marks=[needs("tpu"), pytest.mark.slow]),
        pytest.param("h100", marks=needs("cuda")),
    ],
)
def test_rematerialisation_reduces_the_temporaries_of_a_deep_model(target):
    """The compilers keep it: a forward pass more, and about half of the activations."""
    model = aejax.dense((128, 1024, 1024, 1024, 1024, 16))
    plain, recomputed = (
        planning.plan(
            aejax.objective(each, losses.bernoulli),
            optax.sgd(0.1),
            jax.ShapeDtypeStruct((32768, 128), "float32"),
            target=target,
            batch_size=32768,
        )
        for each in (model, aejax.rematerialised(model))
    )
    assert recomputed.counts.operations > 1.2 * plain.counts.operations
    assert recomputed.memory.temporaries < 0.75 * plain.memory.temporaries


@pytest.mark.parametrize(
    "target",
    [
        pytest.param(name, marks=needs("tpu"))
        for name in ("v4:2x2x1", "v5e:2x2", "v5p:2x2x1", "v6e:2x2")
    ],
)
def test_a_program_can_use_the_memory_that_the_compiler_states(target):
    found = planning.plan(
        aejax.objective(aejax.dense((2**18, 2**17)), losses.squared),
        optax.adam(1e-3),
        jax.ShapeDtypeStruct((128, 2**18), "float32"),
        target=target,
        batch_size=128,
    )
    assert not found.fits
    assert found.available == CHIPS[found.target.kind].usable


def test_a_program_does_not_fit_if_it_needs_more_than_it_can_use(monkeypatch):
    needed = planning.plan(OBJECTIVE, optax.sgd(0.1), X, target="cpu", batch_size=128).needed
    for usable in (needed - 1, needed):
        chip = CHIPS["cpu"]._replace(memory=2 * needed, usable=usable)
        monkeypatch.setitem(CHIPS, "cpu", chip)
        found = planning.plan(OBJECTIVE, optax.sgd(0.1), X, target="cpu", batch_size=128)
        assert (found.fits, found.available) == (usable == needed, usable)
        text = "\n".join(sentences(planning.as_json(found)))
        assert ("does not fit" in text) == (not found.fits)
        assert ("available: this machine" in text) == (not found.fits)


@needs("tpu")
def test_a_plan_for_a_tpu_is_compiled_without_one():
    found = planning.plan(
        OBJECTIVE,
        optax.adam(1e-3),
        X,
        target="v5e:2x2",
        batch_size=128,
        place=sharding.placement_on,
    )
    assert found.fits
    assert found.counts.operations == 2 * 128 * GRADIENTS // 4
    assert {row.kind for row in found.collectives} == {"all-reduce"}
    assert found.sent == pytest.approx(found.ideal_sent, rel=0.05)
    assert found.roofline.seconds > 0
    assert found.estimate > 0


@needs("cuda")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_plan_for_a_gpu_has_no_transposes_in_either_precision(precision):
    model = OBJECTIVE.model if precision == "float32" else aejax.mixed_precision(OBJECTIVE.model)
    objective = aejax.objective(model, losses.bernoulli)
    found = planning.plan(objective, optax.adam(1e-3), X, target="h100", batch_size=128)
    assert found.counts.transposes == 0
    assert found.counts.low_precision == (found.counts.operations if precision != "float32" else 0)
