"""Check of a dictionary that was read from a file: whether it reconstructs given activations.

A dictionary that does not was usually trained on activations on another scale, or its output bias
is used in another way. These conventions are tried, and the one that explains the activations is
named.
"""

import contextlib
import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, NamedTuple, SupportsIndex

import jax
import numpy as np
from jaxtyping import Float

from aejax.data.normalisation import Normalisation
from aejax.evaluation.dictionary_statistics import DictionaryStatistics, dictionary_statistics
from aejax.hyperparameters import as_integer, check_range
from aejax.interchange.stored_dictionaries import StoredDictionary
from aejax.models.example_normalisation import NormalisedCode, normalised_examples
from aejax.models.folding import fold_normalisation
from aejax.repr_text import record_text
from aejax.types import Array, Autoencoder, Params

MARGIN = 0.05
"""Difference of explained variance from which another convention is reported."""

TIE = 0.01
"""Difference of explained variance up to which the more usual of two conventions is preferred."""

MAX_EXAMPLES_OF_OTHERS = 1024
"""Maximum number of examples, evenly spaced, with which other conventions are tried."""

FACTORS = tuple(4.0**exponent for size in range(1, 6) for exponent in (size, -size))
"""Factors of the inputs that are tried, those near 1 first."""


class DictionaryFit(NamedTuple):
    """Fit of a dictionary to activations.

    reconstructs:       whether it explains at least the given part of the variance.
    explained_variance: part of the variance that it explains, as read.
    l0:                 mean number of active units.
    reason:             one sentence for the reader.
    others:             explained variance by other conventions, by their names, the usual ones
                        first, as far as their outputs are finite; empty if none can be tried.
    convention:         name of the first convention with nearly the highest explained variance, if
                        it explains clearly more than the dictionary as read; else None.
    corrected:          the dictionary by that convention, as one of raw activations, or None.
    """

    reconstructs: bool
    explained_variance: float
    l0: float
    reason: str
    others: dict[str, float]
    convention: str | None
    corrected: StoredDictionary | None

    def __repr__(self) -> str:
        return record_text(self)


def dictionary_fit(
    dictionary: StoredDictionary,
    x: Float[Array | np.ndarray, "examples features"],
    target: Float[Array | np.ndarray, "examples outputs"] | None = None,
    *,
    minimum: float = 0.5,
    batch_size: SupportsIndex = 1024,
) -> DictionaryFit:
    """Explained variance of given activations, and the reason if it is low.

    Tried are inputs times a constant with mean norm √features, mean square norm 1, or a power of 4;
    inputs less their mean; each example at norm √features, or at mean 0 and variance 1; each with
    the output bias subtracted from the input, and not.

    Args:
        dictionary: the dictionary, as read.
        x: activations of the layer that it was trained on, at least two different ones.
        target: activations that a transcoder predicts (default: x).
        minimum: explained variance from which the dictionary is said to reconstruct.
        batch_size: number of examples that are encoded at once.

    Returns:
        The `DictionaryFit`.

    Raises:
        ValueError: if the shapes do not fit the dictionary, or all activations are equal.

    Source: Bloom et al. 2024 (conventions).

    Example:
        >>> import aejax, jax
        >>> from aejax.interchange import StoredDictionary, dictionary_fit
        >>> x = jax.random.normal(jax.random.key(0), (100, 4))
        >>> model = aejax.dictionary(4, 4, activation=lambda z: z)
        >>> params = model.init(jax.random.key(1))
        >>> rows = jax.numpy.linalg.inv(params["encoder"]["kernel"])
        >>> params = params | {"decoder": {"kernel": rows}}
        >>> dictionary_fit(StoredDictionary(model, params, "example", "none"), x).reconstructs
        True
    """
    batch_size = as_integer("batch_size", batch_size)
    check_range("batch_size", batch_size, 1, math.inf)
    _check_shapes(dictionary, x, target)
    compiled = jax.jit(_reconstruct, static_argnums=0)
    measure = partial(_statistics, compiled, batch_size)
    found = measure(dictionary, x, x if target is None else target)
    others: dict[str, float] = {}
    convention, corrected = None, None
    params = dictionary.params
    if target is None and "encoder" in params and "skip" not in params:
        part = np.asarray(x)[:: -(-len(x) // MAX_EXAMPLES_OF_OTHERS)]
        known = _other_conventions(dictionary, part)
        for name, make in known.items():
            with contextlib.suppress(ValueError):  # an output beyond the range of float16
                others[name] = measure(make(), part, part).explained_variance
        limit = max(others.values(), default=0) - TIE
        best = next((name for name, explained in others.items() if explained >= limit), None)
        as_read = measure(dictionary, part, part).explained_variance
        if best is not None and others[best] > max(as_read, 0) + MARGIN:
            convention, corrected = best, known[best]()
    reconstructs = found.explained_variance >= minimum
    reason = _reason(dictionary, found, reconstructs, others, convention)
    return DictionaryFit(
        reconstructs,
        found.explained_variance,
        found.l0,
        reason,
        others,
        convention,
        corrected,
    )


def _statistics(
    compiled: Any, batch_size: int, dictionary: StoredDictionary, x: Any, target: Any
) -> DictionaryStatistics:
    def batches() -> Iterator[tuple[Any, Any, Any]]:
        for start in range(0, len(x), batch_size):
            rows = slice(start, start + batch_size)
            yield target[rows], *compiled(dictionary.model, dictionary.params, x[rows])

    return dictionary_statistics(batches())


def _reconstruct(model: Autoencoder, params: Params, x: Array) -> tuple[Array, Array]:
    """Active units and output."""
    code = model.encode(params, x)
    output = model.decode(params, code)
    while isinstance(code, NormalisedCode | dict):
        code = code["units"] if isinstance(code, dict) else code.code
    return code, output


def _other_conventions(
    dictionary: StoredDictionary, x: np.ndarray
) -> dict[str, Callable[[], StoredDictionary]]:
    """Names of other conventions, and the dictionary of raw activations that each implies."""
    as_read = "subtracted" if "centre" in dictionary.params else "not subtracted"
    other = "not subtracted" if as_read == "subtracted" else "subtracted"
    bias = f"the output bias {other} from the input"
    maps = _normalisations(x) | {
        "each example scaled to norm √features": "norm",
        "each example scaled to mean 0 and variance 1": "layer",
    }
    found = {bias: partial(_by_convention, dictionary, None, True)}
    for toggled, suffix in ((False, ""), (True, f", and {bias}")):
        for name, convention in maps.items():
            found[name + suffix] = partial(_by_convention, dictionary, convention, toggled)
    return found


def _by_convention(
    dictionary: StoredDictionary, convention: Normalisation | str | None, toggled: bool
) -> StoredDictionary:
    """The dictionary of raw activations, if it was trained with a normalisation of the inputs."""
    params = _with_other_bias(dictionary.params) if toggled else dictionary.params
    model = dictionary.model
    if isinstance(convention, str):
        model = normalised_examples(model, by=convention)
    elif convention is not None:
        params = fold_normalisation(params, convention)
    return dictionary._replace(model=model, params=params, normalisation="none")


def _normalisations(x: np.ndarray) -> dict[str, Normalisation | str]:
    """Normalisations of the inputs by constants, by name."""
    norms = np.linalg.norm(np.asarray(x, float), axis=1)
    mean_norm, root_mean_square = norms.mean(), np.sqrt(np.mean(np.square(norms)))
    zero = np.zeros(())
    found: dict[str, Normalisation | str] = {
        "inputs scaled to mean norm √features": Normalisation(
            zero, mean_norm / np.sqrt(x.shape[1])
        ),
        "inputs scaled to mean square norm 1": Normalisation(zero, root_mean_square),
        "inputs less their mean": Normalisation(np.mean(x, axis=0, dtype=float), np.ones(())),
    }
    return found | {f"inputs times {s:g}": Normalisation(zero, np.asarray(1 / s)) for s in FACTORS}


def _with_other_bias(params: Params) -> Params:
    """Parameters whose output bias is subtracted from the input if it was not, and conversely."""
    others = {name: part for name, part in params.items() if name not in ("decoder", "centre")}
    decoder = dict(params["decoder"])
    if "centre" in params:
        return others | {"decoder": decoder | params["centre"]}
    bias = decoder.pop("bias")
    return others | {"decoder": decoder, "centre": {"bias": bias}}


def _reason(
    dictionary: StoredDictionary,
    found: DictionaryStatistics,
    reconstructs: bool,
    others: dict[str, float],
    convention: str | None,
) -> str:
    text = (
        f"{'it reconstructs' if reconstructs else 'it does not reconstruct'}: it explains "
        f"{found.explained_variance:.3g} of the variance with {found.l0:.4g} active units"
    )
    if dictionary.normalisation != "none":
        text += (
            f"; its file names the normalisation {dictionary.normalisation} of its inputs, without "
            "the constants"
        )
    if convention is not None:
        return f"{text}; it explains {others[convention]:.3g} with {convention}: use `corrected`"
    if not reconstructs and others:
        text += (
            f", and at most {max(others.values()):.3g} by other conventions, so that the "
            "activations are probably of another layer or model"
        )
    return text


def _check_shapes(dictionary: StoredDictionary, x: Any, target: Any) -> None:
    params = dictionary.params
    outputs = params["decoder"]["kernel"].shape[1]
    features = params["encoder"]["kernel"].shape[0] if "encoder" in params else outputs
    if np.ndim(x) != 2 or np.shape(x)[1] != features:
        raise ValueError(f"expected activations [examples, {features}], got {list(np.shape(x))}")
    expected = (len(x), outputs)
    if np.shape(x if target is None else target) != expected:
        raise ValueError(
            f"expected a target of shape {list(expected)}, got "
            f"{list(np.shape(x if target is None else target))}; pass the activations that the "
            "transcoder predicts"
        )
