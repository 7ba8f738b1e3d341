"""Synthetic activations with known features (SynthSAEBench), sampled on the device.

An example is x = Σ_i a_i d_i + b, with unit directions d_i and a sparse activation a_i ≥ 0 of each
feature. More features than dimensions are in superposition. Firing features are correlated, and
form trees: a child fires only if its parent does, and siblings exclude each other.
"""

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.scipy.special import erfinv, ndtr, ndtri
from jaxtyping import Float, Float64, Int

from aejax.hyperparameters import as_integer, check_range
from aejax.repr_text import record_text
from aejax.types import Array, Key

MIN_UNIQUE_VARIANCE = 0.01
"""Minimum share of a feature's Gaussian that it has for itself; stronger factors are rescaled."""

TAIL = 2.0**-23
"""Probability at which the two tails of the magnitudes are cut off (5.2 standard deviations)."""


@dataclass(frozen=True)
class DictionaryLaw:
    """The distribution of synthetic activations, with the values of SynthSAEBench as defaults.

    Features are ordered by frequency, p_1 > p_2 > …: p_i − p_n is proportional to i^−α − n^−α. The
    first ones form trees, in breadth-first order: feature i, counted from 0, has the parent
    (i − roots) // branching.

    features:          number n of features.
    dimensions:        number of dimensions of the activations.
    max_probability:   probability p_1 of the most frequent feature.
    min_probability:   probability p_n of the rarest feature.
    exponent:          exponent α of Zipf's law.
    roots:             number of trees; 0 for independent features.
    branching:         number of children of each parent.
    depth:             number of levels below the roots.
    first_magnitude:   mean magnitude of the most frequent feature; in between, it is linear.
    last_magnitude:    mean magnitude of the rarest feature.
    deviation_mean:    mean of the normal distribution whose absolute value is the standard
                       deviation of a feature's magnitude.
    deviation_spread:  standard deviation of that distribution.
    correlation_rank:  number of factors that the Gaussian copula of the firing features shares.
    correlation_scale: standard deviation of the loadings on these factors.
    orthogonal_steps:  number of steps of Adam that reduce the overlap of random directions.
    orthogonal_rate:   their learning rate.
    bias_norm:         norm of the bias b.
    """

    features: int
    dimensions: int
    max_probability: float = 0.4
    min_probability: float = 5e-4
    exponent: float = 0.5
    roots: int = 128
    branching: int = 4
    depth: int = 3
    first_magnitude: float = 5.0
    last_magnitude: float = 4.0
    deviation_mean: float = 0.5
    deviation_spread: float = 0.5
    correlation_rank: int = 25
    correlation_scale: float = 0.1
    orthogonal_steps: int = 100
    orthogonal_rate: float = 3e-4
    bias_norm: float = 0.5

    def __post_init__(self) -> None:
        for name in ("features", "dimensions", "branching"):
            check_range(name, as_integer(name, getattr(self, name)), 1, np.inf)
        for name in ("roots", "depth", "correlation_rank", "orthogonal_steps"):
            check_range(name, as_integer(name, getattr(self, name)), 0, np.inf)
        check_range("max_probability", self.max_probability, 1e-9, 1)
        check_range("min_probability", self.min_probability, 0, self.max_probability)
        for name in ("first_magnitude", "last_magnitude"):  # children are scaled by a/mean
            check_range(name, getattr(self, name), 1e-6, 1e6)
        for name in ("exponent", "deviation_mean", "deviation_spread", "correlation_scale"):
            check_range(name, getattr(self, name), 0, 1e6)
        for name in ("orthogonal_rate", "bias_norm"):
            check_range(name, getattr(self, name), 0, 1e6)
        if sum(self.levels) > self.features:
            raise ValueError(
                f"the trees have {sum(self.levels)} nodes ({self.roots} roots, branching factor "
                f"{self.branching}, depth {self.depth}), more than the {self.features} features; "
                "reduce roots, branching or depth"
            )

    @property
    def levels(self) -> list[int]:
        """Numbers of features of the levels of all trees, from the roots down."""
        return [self.roots * self.branching**level for level in range(self.depth + 1)]

    @property
    def depths(self) -> Int[np.ndarray, " features"]:
        """Level of each feature below its root; 0 for roots and features outside the trees."""
        depths = np.repeat(np.arange(self.depth + 1), self.levels)
        return np.pad(depths, (0, self.features - len(depths)))

    @property
    def parents(self) -> Int[np.ndarray, " features"]:
        """Index of the parent of each feature; −1 for roots and features outside the trees."""
        parents = (np.arange(self.features) - self.roots) // self.branching
        parents[: self.roots] = parents[sum(self.levels) :] = -1
        return parents


SYNTHSAEBENCH_16K_V2 = DictionaryLaw(features=16_384, dimensions=768)
"""The published benchmark, version 2; its draw of the directions is another one."""

SYNTHSAEBENCH_TWIN = DictionaryLaw(features=1024, dimensions=96, roots=8)
"""The benchmark for two CPU cores: a sixteenth of its features and trees, in 96 dimensions."""


@jax.tree_util.register_dataclass
@dataclass(frozen=True, repr=False)
class SyntheticDictionary:
    """One draw of a law: the ground truth that dictionaries are compared with. A pytree.

    directions:    unit vector of each feature, [features, dimensions].
    bias:          constant part of the examples, [dimensions].
    probabilities: probability that a feature fires where its parent does and no sibling competes.
    means:         mean magnitude of each feature, before its parent scales it.
    deviations:    standard deviation of that magnitude.
    loadings:      loadings of the Gaussian copula, [features, rank].
    law:           the law, which is static under `jit`.
    """

    directions: Float[Array, "features dimensions"]
    bias: Float[Array, " dimensions"]
    probabilities: Float[Array, " features"]
    means: Float[Array, " features"]
    deviations: Float[Array, " features"]
    loadings: Float[Array, "features rank"]
    law: DictionaryLaw = field(metadata={"static": True})

    def __repr__(self) -> str:
        return record_text(self)


def draw_dictionary(key: Key, law: DictionaryLaw) -> SyntheticDictionary:
    """Draw directions, bias, magnitudes and correlations of the features of a law.

    Args:
        key: key of the draw.
        law: the law.

    Returns:
        The `SyntheticDictionary`.

    Example:
        >>> import jax
        >>> from aejax import data
        >>> law = data.DictionaryLaw(features=32, dimensions=8, roots=0, orthogonal_steps=1)
        >>> data.draw_dictionary(jax.random.key(0), law).directions.shape
        (32, 8)

    Source: Chanin & Garriga-Alonso 2026 (SynthSAEBench).
    """
    key_directions, key_bias, key_deviations, key_loadings = jax.random.split(key, 4)
    start = jax.random.normal(key_directions, (law.features, law.dimensions))
    bias = jax.random.normal(key_bias, (law.dimensions,))
    normal = jax.random.normal(key_deviations, (law.features,))
    loadings = law.correlation_scale * jax.random.normal(
        key_loadings, (law.features, law.correlation_rank)
    )
    shared = jnp.sum(jnp.square(loadings), axis=1, keepdims=True)
    most = 1 - MIN_UNIQUE_VARIANCE
    return SyntheticDictionary(
        directions=reduce_overlap(start, steps=law.orthogonal_steps, rate=law.orthogonal_rate),
        bias=law.bias_norm * bias / jnp.linalg.norm(bias),
        probabilities=jnp.asarray(_conditional_probabilities(law), start.dtype),
        means=jnp.linspace(law.first_magnitude, law.last_magnitude, law.features),
        deviations=jnp.abs(law.deviation_mean + law.deviation_spread * normal),
        loadings=jnp.where(shared > most, loadings * jnp.sqrt(most / shared), loadings),
        law=law,
    )


def sample_activations(
    key: Key, truth: SyntheticDictionary, *, count: int
) -> Float[Array, "count features"]:
    """Sample the activations of the features. The function is pure and can be jitted and vmapped.

    Feature i fires if a Gaussian, correlated with those of the others, exceeds the quantile of its
    probability. Its magnitude is max(0, N(mean, deviation²)), times a/mean of its parent, and so 0
    where the parent is silent. Of siblings that fire together, one remains, drawn uniformly.

    Given the shared factors, one uniform number decides both: it fires if u < p, and u/p, which is
    uniform again, gives the magnitude.

    Args:
        key: key of the sample.
        truth: draw of a law.
        count: number of examples.

    Returns:
        The activations a ≥ 0; 0 for a feature that does not fire.

    Source: Chanin & Garriga-Alonso 2026 (SynthSAEBench).
    """
    key_factors, key_features, key_siblings = jax.random.split(key, 3)
    rank, dtype = truth.loadings.shape[1], truth.loadings.dtype
    factors = jax.random.normal(key_factors, (count, rank), dtype)
    unique = jnp.sqrt(1 - jnp.sum(jnp.square(truth.loadings), axis=1))
    p = ndtr((factors @ truth.loadings.T + ndtri(truth.probabilities)) / unique)
    bits = jax.random.bits(key_features, p.shape, jnp.uint32)
    u = (bits.astype(dtype) + 0.5) * 2.0**-32  # small ones have full relative precision
    quantile = jnp.clip(u / p, TAIL, 1 - TAIL)
    normal = jnp.sqrt(2) * erfinv(2 * quantile - 1)
    magnitudes = jax.nn.relu(truth.means + truth.deviations * normal)
    return _apply_hierarchy(key_siblings, truth, jnp.where(u < p, magnitudes, 0))


def sample_examples(
    key: Key, truth: SyntheticDictionary, *, count: int
) -> Float[Array, "count dimensions"]:
    """Sample examples x = Σ_i a_i d_i + b. The function is pure and can be jitted and vmapped.

    Args:
        key: key of the sample.
        truth: draw of a law.
        count: number of examples.

    Returns:
        The examples; `sample_activations` with the same key returns their activations a.

    Source: Chanin & Garriga-Alonso 2026 (SynthSAEBench).
    """
    return sample_activations(key, truth, count=count) @ truth.directions + truth.bias


def reduce_overlap(
    directions: Float[Array, "features dimensions"], *, steps: int, rate: float
) -> Float[Array, "features dimensions"]:
    """Unit vectors whose overlap Σ_{i≠j} (d_i·d_j)² is reduced by steps of Adam.

    The minimised function is Σ_{i≠j} (d_i·d_j)² + n Σ_i (‖d_i‖² − 1)². It is computed from DᵀD, at
    a cost that is linear in the number n of vectors.

    Args:
        directions: vectors from which to start; they are normalised first.
        steps: number of steps.
        rate: learning rate.

    Returns:
        The unit vectors.

    Source: Chanin & Garriga-Alonso 2026 (SynthSAEBench).
    """

    def overlap(d: Array) -> Array:
        squares = jnp.sum(jnp.square(d), axis=1)
        gram = jnp.matmul(d.T, d, precision="highest")
        pairs = jnp.sum(jnp.square(gram)) - jnp.sum(jnp.square(squares))
        return pairs + len(d) * jnp.sum(jnp.square(squares - 1))

    def step(carry: tuple[Array, optax.OptState], _: None) -> tuple[tuple, None]:
        d, state = carry
        updates, state = optimizer.update(jax.grad(overlap)(d), state)
        return (optax.apply_updates(d, updates), state), None

    optimizer = optax.adam(rate)
    start = _normalised(directions)
    (end, _), _ = jax.lax.scan(step, (start, optimizer.init(start)), length=steps)
    return _normalised(end)


def _normalised(d: Array) -> Array:
    return d / jnp.linalg.norm(d, axis=1, keepdims=True)


def _conditional_probabilities(law: DictionaryLaw) -> Float64[np.ndarray, " features"]:
    """Probabilities that compensate approximately for silent parents and competing siblings.

    A child of probability p gets p/p_parent · (1 + Σ_siblings p_sibling/p_parent), at most 1.
    """
    powers = np.arange(1, law.features + 1) ** -float(law.exponent)
    span = powers[0] - powers[-1]
    share = (powers - powers[-1]) / span if span else np.ones_like(powers)
    p = law.min_probability + (law.max_probability - law.min_probability) * share
    nodes = sum(law.levels)
    given_parent = p[law.roots : nodes].reshape(-1, law.branching)
    given_parent = given_parent / p[: len(given_parent), None]  # group i has parent i
    others = given_parent.sum(axis=1, keepdims=True) - given_parent
    children = np.minimum(given_parent * (1 + others), 1).ravel()
    return np.concatenate([p[: law.roots], children, p[nodes:]])


def _apply_hierarchy(
    key: Key, truth: SyntheticDictionary, activations: Float[Array, "count features"]
) -> Float[Array, "count features"]:
    """Keep one of the siblings that fire together, then scale children, from the roots down."""
    law = truth.law
    nodes = slice(law.roots, sum(law.levels))
    if nodes.start == nodes.stop:
        return activations
    siblings = activations[:, nodes].reshape(len(activations), -1, law.branching)
    kept = _keep_one(key, siblings).reshape(len(activations), -1)
    depths, parents = law.depths, np.maximum(law.parents, 0)

    # A loop, because XLA fuses unrolled levels and then computes all ancestors of each feature.
    def scale(depth: Array, a: Array) -> Array:
        return jnp.where(depths == depth, a * (a / truth.means)[:, parents], a)

    activations = activations.at[:, nodes].set(kept)
    return jax.lax.fori_loop(1, law.depth + 1, scale, activations)


def _keep_one(
    key: Key, siblings: Float[Array, "count groups siblings"]
) -> Float[Array, "count groups siblings"]:
    """Keep one of the positive values of each group, drawn uniformly."""
    positive = (siblings > 0).astype(siblings.dtype)
    rank = positive @ jnp.triu(jnp.ones((siblings.shape[-1],) * 2, siblings.dtype))  # from 1 on
    total = rank[..., -1:]
    chosen = jnp.floor(jax.random.uniform(key, total.shape, total.dtype) * total) + 1
    return jnp.where(rank == chosen, siblings * positive, 0)
