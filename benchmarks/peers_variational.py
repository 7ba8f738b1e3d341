"""Variational losses of aejax beside those of pythae, on the same parameters, batch and noise.

pythae's models run their own forward passes, with the parameters of an aejax model of one hidden
layer and the noise that aejax has drawn. Compared are the objective, its gradient in all
parameters, and single terms where the two packages differ; each such difference is stated with the
formula that explains it, which is evaluated as well. All is in float64, except for `VQVAE`, whose
forward pass is in float32.

Command:  python -m benchmarks.peers_variational
Run time: one minute on one core; needs pythae and PyTorch.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro

import aejax
from aejax import losses, models, penalties, training
from aejax.posteriors import importance_weighted_bound
from aejax.runs.atomic_files import write_text
from aejax.runs.environment import environment
from benchmarks.peers_own_model import missing
from benchmarks.variational_cases import (
    CONSTANT,
    EXAMPLES,
    FEATURES,
    HIDDEN,
    POSTERIOR,
    UNITS,
    Comparison,
    batch,
    compare,
    deterministic,
    evaluate,
    noise_of,
    random_params,
    variational_objective,
)

RESULTS = Path(__file__).parents[1] / "docs" / "results" / "variational_peers.json"
TRAINING_EXAMPLES = 50
"""N of the estimate of the total correlation."""

SAMPLES = 5
"""K of the importance-weighted bound."""

OWN_WEIGHT = "samples whose own example has the weight 1/N"
FIRST_WEIGHT = "samples whose first example has it"
FLAT_CHANNELS = "channels of a codeword, flat code"
DIFFERENCES = {
    ("BetaTCVAE", OWN_WEIGHT): "stratified sampling (Chen et al. 2018, appendix C.2) gives each "
    "sample's own example the weight 1/N; pythae's default, `use_mss=True`, gives it to the first "
    "example of the batch. With `use_mss=False` both packages have the same estimate",
    ("BetaTCVAE", FIRST_WEIGHT): "the same",
    ("IWAE", "objective"): "pythae returns −Σ_k w̃_k log w_k with constant normalised weights w̃, "
    "which has the gradient of the bound and is lower than −log (1/K) Σ_k w_k",
    ("RAE_GP", "gradient penalty"): "the paper penalises the slope of the decoder at the code, "
    "‖∂x̂/∂z‖²; pythae's penalty is that of the sum of the outputs at the input, ‖∂ Σ_j x̂_j/∂x‖²",
    ("VQVAE", FLAT_CHANNELS): "pythae reads the units of a flat code as positions of one channel, "
    "so that its codewords are scalars; the other rows have the units as channels",
    ("VQVAE", "commitment"): "pythae's mean over channels, where the paper has their sum",
}
"""Model and quantity -> why pythae's differs."""


def compare_vae(pythae: Any) -> list[Comparison]:
    """`VAE` with a Bernoulli and with a Gaussian decoder."""
    terms = {"divergence": (1.0, penalties.divergence(POSTERIOR))}
    found = []
    for name, loss, constant, reconstruction in (
        ("Bernoulli", losses.bernoulli, 0.0, "bce"),
        ("Gaussian", losses.gaussian(), CONSTANT, "mse"),
    ):
        call, params, record = variational_objective(loss, terms)
        value, gradients = evaluate(call, params)
        theirs = pythae.run(
            "VAE",
            params,
            batch(),
            settings={"reconstruction_loss": reconstruction},
            noise=noise_of(record)[:, 0],
            link=pythae.sigmoid if reconstruction == "bce" else pythae.identity,
        )
        found += [
            compare("VAE", f"objective, {name}", value - constant, theirs.output.loss),
            compare("VAE", f"gradient, {name}", gradients, theirs.gradients),
        ]
    return found


def compare_total_correlation(pythae: Any) -> list[Comparison]:
    """`BetaTCVAE` with β = 4 and weights within the batch, and its default weights."""
    terms = {
        "divergence": (1.0, penalties.sampled_divergence(POSTERIOR)),
        "correlation": (3.0, penalties.total_correlation(examples=TRAINING_EXAMPLES)),
    }
    call, params, record = variational_objective(losses.gaussian(), terms)
    value, gradients = evaluate(call, params)
    theirs = pythae.run(
        "BetaTCVAE",
        params,
        batch(),
        settings={"beta": 4.0, "use_mss": False},
        noise=noise_of(record)[:, 0],
        dataset_size=TRAINING_EXAMPLES,
    )
    weights = pythae.stratified_weights(EXAMPLES, TRAINING_EXAMPLES)
    own = float(np.isclose(np.diag(weights), 1 / TRAINING_EXAMPLES).sum())
    first = float(np.isclose(weights[:, 0], 1 / TRAINING_EXAMPLES).sum())
    return [
        compare("BetaTCVAE", "objective", value - CONSTANT, theirs.output.loss),
        compare("BetaTCVAE", "gradient", gradients, theirs.gradients),
        compare("BetaTCVAE", OWN_WEIGHT, EXAMPLES, own),
        compare("BetaTCVAE", FIRST_WEIGHT, 1, first),
    ]


def compare_importance_weighting(pythae: Any) -> list[Comparison]:
    """`IWAE`: its gradient is that of the bound, its value is not the bound."""

    def weighted_mean(log_weights: Callable[[], Any]) -> Any:
        values = log_weights()
        return jnp.sum(jax.nn.softmax(values, axis=0) * values, axis=0)

    def objective_of(bound: Any) -> tuple[aejax.Objective, Any, aejax.Pass]:
        weighted = penalties.importance_weighted(
            losses.gaussian(), POSTERIOR, samples=SAMPLES, bound=bound
        )
        return variational_objective(losses.gaussian(), {"bound": (1.0, weighted)})

    call, params, record = objective_of(lambda weights: importance_weighted_bound(weights()))
    value, gradients = evaluate(call, params)
    theirs = pythae.run(
        "IWAE",
        params,
        batch(),
        settings={"number_samples": SAMPLES},
        noise=noise_of(record, SAMPLES),
    )
    mean, _ = evaluate(objective_of(weighted_mean)[0], params)
    return [
        compare("IWAE", "gradient", gradients, theirs.gradients),
        compare("IWAE", "objective", value - CONSTANT, theirs.output.loss),
        compare("IWAE", "−Σ_k w̃_k log w_k", mean - CONSTANT, theirs.output.loss),
    ]


def compare_discrepancy(pythae: Any) -> list[Comparison]:
    """`WAE_MMD` with its default kernel, and samples of the prior that aejax has drawn."""
    prior = np.random.default_rng(2).normal(size=(EXAMPLES, UNITS))
    term = penalties.maximum_mean_discrepancy(sample=lambda *_: jnp.asarray(prior))
    call, params = deterministic({"discrepancy": (3.0, term)})
    value, gradients = evaluate(call, params)
    theirs = pythae.run("WAE_MMD", params, batch(), settings={"reg_weight": 3.0}, noise=prior)
    return [
        compare("WAE_MMD", "objective", value, theirs.output.loss),
        compare("WAE_MMD", "gradient", gradients, theirs.gradients),
    ]


def compare_gradient_penalty(pythae: Any) -> list[Comparison]:
    """`RAE_GP`: the norm of the code, and the penalty of the decoder's slope."""
    terms = {"code": (0.1, penalties.code_norm()), "slope": (1.0, penalties.decoder_gradient())}
    call, params = deterministic(terms)
    settings = {"embedding_weight": 0.1, "reg_weight": 1.0}
    theirs = pythae.run("RAE_GP", params, batch(), settings=settings)
    _, found = call(params, batch(), jax.random.key(0))
    model = call.model

    def total(x: Any) -> Any:
        return jnp.sum(model.decode(params, model.encode(params, x[None])))

    sums = jnp.sum(jnp.square(jax.vmap(jax.grad(total))(jnp.asarray(batch()))), axis=1)
    return [
        compare("RAE_GP", "reconstruction", found["reconstruction"], theirs.output.recon_loss),
        compare("RAE_GP", "½ ‖z‖²", found["code"], theirs.output.embedding_loss),
        compare("RAE_GP", "gradient penalty", 2 * found["slope"], theirs.output.gen_reg_loss),
        compare("RAE_GP", "‖∂ Σ_j x̂_j/∂x‖²", jnp.mean(sums), theirs.output.gen_reg_loss),
    ]


def compare_quantisation(pythae: Any) -> list[Comparison]:
    """`VQVAE` with exponential averages: one forward pass and one update of the codebook."""
    codewords, decay = 8, 0.9
    base = aejax.dense(
        (FEATURES, HIDDEN, UNITS), activation=jnp.tanh, code_activation=jax.nn.identity
    )
    model = models.vector_quantised(base, codewords=codewords, channels=UNITS, averaged=True)
    params = random_params(model, np.float32)
    usage = np.random.default_rng(3).uniform(0.5, 1, codewords).astype(np.float32)
    params["quantiser"]["usage"] = jnp.asarray(usage)
    terms = {
        "commitment": (0.25 / UNITS, penalties.commitment()),
        "codebook": (1.0, penalties.codebook()),
    }
    call = aejax.objective(model, losses.squared, penalties=terms)
    x = batch(np.float32)
    _, gradients = evaluate(call, params)
    _, found = call(params, x, jax.random.key(0))
    optimizer = training.averaged_codebook(optax.set_to_zero(), decay=decay)
    gradient = jax.grad(lambda params: call(params, x, jax.random.key(0))[0])(params)
    changes, _ = optimizer.update(gradient, optimizer.init(params), params)
    updated = jax.tree.map(jnp.add, params["quantiser"], changes["quantiser"])
    codebook = np.asarray(params["quantiser"]["codebook"])
    sides = {side: params[side] for side in ("encoder", "decoder")}
    theirs = pythae.run(
        "VQVAE",
        sides,
        x,
        settings={"num_embeddings": codewords, "use_ema": True, "decay": decay},
        prepare=pythae.use_codebook(codebook, EXAMPLES * usage),
    )
    quantiser, output = theirs.model.quantizer, theirs.output
    smoothed = quantiser.cluster_size.numpy() / (EXAMPLES * np.asarray(updated["usage"]))
    averages = quantiser.embeddings.numpy()
    indices = np.asarray(model.encode(params, x).indices)
    same = float(np.mean(indices == output.quantized_indices.numpy().ravel()))
    commitment = float(output.vq_loss) / 0.25
    return [
        compare(
            "VQVAE",
            FLAT_CHANNELS,
            UNITS,
            pythae.channels_of_flat_code(sides, FEATURES),
        ),
        compare("VQVAE", "share of equal indices", 1.0, same),
        compare("VQVAE", "reconstruction", found["reconstruction"], output.recon_loss),
        compare("VQVAE", "commitment", found["commitment"], commitment),
        compare("VQVAE", "commitment, mean over channels", found["commitment"] / UNITS, commitment),
        compare("VQVAE", "gradient, so weighted", gradients, theirs.gradients),
        compare("VQVAE", "codebook", [updated["codebook"]], [averages]),
        compare(
            "VQVAE",
            "codebook without smoothed counts",
            [updated["codebook"]],
            [averages * smoothed[:, None]],
        ),
    ]


COMPARISONS = (
    compare_vae,
    compare_total_correlation,
    compare_importance_weighting,
    compare_discrepancy,
    compare_gradient_penalty,
    compare_quantisation,
)


def measure() -> list[Comparison]:
    """All comparisons."""
    pythae = import_module("benchmarks.pythae_models")
    with jax.enable_x64(True):
        return [row for compare in COMPARISONS for row in compare(pythae)]


def main() -> None:
    """Run the comparison and write its results."""
    reason = missing(["pythae", "torch"])
    if reason:
        print(f"skipped: {reason}")
        return
    versions = {name: metadata.version(name) for name in ("pythae", "torch")}
    record = {
        "environment": environment() | versions,
        "found": [asdict(each) for each in measure()],
    }
    text = json.dumps(record, indent=1, ensure_ascii=False) + "\n"
    write_text(RESULTS, text)
    print(text)


if __name__ == "__main__":
    tyro.cli(main)
