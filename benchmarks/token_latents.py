"""Latents of a sparse dictionary of token embeddings, named by the tokens that activate them most.

The 32 000 embeddings of 256 dimensions are those of the package `wordllama` (MIT), which contains
them: no download is needed. Their mean norm is scaled to √256. A BatchTopK dictionary of 1024
latents is trained on them, then its threshold is solved for, so that k latents are active on a
token on average.

Coherence is the mean cosine similarity between the embeddings of the ten tokens that activate a
latent most. The control is that of the ten largest components of a random direction: the same
tokens, but no training.

Command:  python -m benchmarks.token_latents
Run time: five minutes on one idle core; needs wordllama.
Source:   Bricken et al. 2023 (top activating examples); Bussmann, Leask & Nanda 2024 (BatchTopK).
"""

import json
from dataclasses import asdict, dataclass
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import tyro
from safetensors.numpy import load_file

import aejax
from aejax import data, evaluation, losses, penalties, trackers, training
from aejax.runs.atomic_files import write_text
from aejax.runs.environment import environment

RESULTS = Path(__file__).parent / "results" / "token_latents"
HEAD = """# Latents of token embeddings

Written by `python -m benchmarks.token_latents`: a BatchTopK dictionary of {latents} latents,
trained on the {tokens:,} token embeddings of `wordllama`. {l0:.1f} latents are active on a token,
{dead} are never active, and the dictionary explains {explained:.1%} of the variance. The ten tokens
that activate a latent most have a mean cosine similarity of {coherence:.2f} (median of the
latents); those of random directions {control:.2f}. The table shows latents at equal steps in
descending order of coherence; "▁" starts a word.

| latent | active on | coherence | tokens with the largest activations |
|---:|---:|---:|---|
"""
SHOWN = 24
"""Number of latents in the table."""


@dataclass(frozen=True)
class Config:
    """Settings of the dictionary."""

    latents: int = 1024
    """number of latents"""
    k: int = 16
    """mean number of active latents"""
    epochs: int = 40
    """number of epochs"""
    batch_size: int = 512
    """number of tokens of a step"""
    learning_rate: float = 1e-3
    """learning rate of Adam"""
    dead_after: int = 200
    """number of steps without activity after which a latent counts as dead"""
    count: int = 10
    """number of tokens that name a latent"""
    seed: int = 0
    """seed of the training, and of the random directions"""


def token_embeddings() -> tuple[list[str], np.ndarray]:
    """Tokens and embeddings [tokens, dimensions] of `wordllama`."""
    spec = find_spec("wordllama")
    folder = Path(spec.origin).parent if spec and spec.origin else None
    if folder is None:
        raise ModuleNotFoundError("the embeddings are missing: pip install wordllama")
    tokenizer = folder / "tokenizers" / "l2_supercat_tokenizer_config.json"
    vocabulary = json.loads(tokenizer.read_text(encoding="utf-8"))["model"]["vocab"]
    weights = load_file(folder / "weights" / "l2_supercat_256.safetensors")["embedding.weight"]
    return sorted(vocabulary, key=vocabulary.__getitem__), weights.astype(np.float32)


def train(x: jax.Array, config: Config) -> tuple[aejax.Autoencoder, Any]:
    """Train the dictionary and solve for its threshold; the model and its parameters."""
    model = aejax.dictionary(x.shape[1], config.latents, activation=aejax.batch_top_k(k=config.k))
    auxk = penalties.auxk(k=x.shape[1] // 2, dead_after=config.dead_after)
    objective = aejax.objective(
        model,
        losses.squared,
        penalties={"auxk": (1 / 32, auxk)},
        tracker=trackers.steps_since_active(config.latents),
    )
    unit_norm = training.unit_norm(select=lambda params: params["decoder"]["kernel"])
    optimizer = training.constrained(optax.adam(config.learning_rate), unit_norm)
    options = {"epochs": config.epochs, "batch_size": config.batch_size}
    state, _ = training.fit(objective, optimizer, x, key=config.seed, **options)
    return model, training.calibrate_threshold(state.params, x, l0=config.k)


def coherence(x: np.ndarray, examples: np.ndarray) -> np.ndarray:
    """Mean cosine similarity between the examples of each latent, [latents]; NaN for less than two.

    Args:
        x: examples [examples, dimensions].
        examples: indices [latents, count]; −1 where there is no example.
    """
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    present = examples >= 0
    count = present.sum(axis=1)
    total = np.where(present[..., None], unit[examples], 0).sum(axis=1)
    pairs = np.square(total).sum(axis=1) - count  # Σ_{i≠j} cos(x_i, x_j)
    return np.divide(pairs, count * (count - 1), where=count > 1, out=np.full(len(count), np.nan))


def measure(tokens: list[str], x: np.ndarray, config: Config) -> dict[str, Any]:
    """Train on embeddings; statistics, and the tokens and coherence of each latent."""
    scaled = jnp.asarray(data.normalise(data.common_scale(x), x))
    model, params = train(scaled, config)
    code = model.encode(params, scaled)
    statistics = evaluation.dictionary_statistics([(scaled, code, model.decode(params, code))])
    top = evaluation.top_examples([code], count=config.count).examples
    directions = jax.random.normal(jax.random.key(config.seed), (config.latents, x.shape[1]))
    control = evaluation.top_examples([scaled @ directions.T], count=config.count).examples
    found = coherence(x, top)
    active = np.asarray((code != 0).sum(axis=0))
    return {
        "l0": statistics.l0,
        "explained variance": statistics.explained_variance,
        "dead": int(statistics.dead.sum()),
        "coherence": float(np.nanmedian(found)),
        "coherence of random directions": float(np.nanmedian(coherence(x, control))),
        "latents": [
            {
                "latent": int(latent),
                "active on": int(active[latent]),
                "coherence": round(float(found[latent]), 3),
                "tokens": [tokens[example] for example in top[latent] if example >= 0],
            }
            for latent in np.argsort(-found)
            if np.isfinite(found[latent])
        ],
    }


def page(record: dict[str, Any]) -> str:
    """The page as Markdown."""
    found = record["measurements"]
    latents = found["latents"]
    head = HEAD.format(
        latents=record["settings"]["latents"],
        tokens=record["tokens"],
        l0=found["l0"],
        dead=found["dead"],
        explained=found["explained variance"],
        coherence=found["coherence"],
        control=found["coherence of random directions"],
    )
    chosen = np.linspace(0, len(latents) - 1, min(SHOWN, len(latents))).astype(int)
    return head + "".join(_row(latents[index]) for index in chosen)


def _row(latent: dict[str, Any]) -> str:
    escaped = [escape(token).replace("|", "&#124;") for token in latent["tokens"]]
    tokens = " ".join(f"<code>{token}</code>" for token in escaped)
    cells = (latent["latent"], latent["active on"], f"{latent['coherence']:.2f}", tokens)
    return f"| {' | '.join(map(str, cells))} |\n"


def main(config: Config = Config()) -> None:
    """Train, measure and write the results and their page."""
    tokens, x = token_embeddings()
    measured = measure(tokens, x, config)
    record = {
        "settings": asdict(config),
        "environment": environment(),
        "tokens": len(tokens),
        "measurements": measured,
    }
    write_text(RESULTS.with_suffix(".json"), json.dumps(record, indent=1, ensure_ascii=False))
    write_text(RESULTS.with_suffix(".md"), page(record))


if __name__ == "__main__":
    main(tyro.cli(Config))
