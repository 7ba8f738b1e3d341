"""Inpainting: random holes, baselines by interpolation and by PCA, and image similarity."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from skimage.restoration import inpaint_biharmonic
from sklearn.decomposition import PCA

from aejax import corruptions
from aejax.types import Array, Key
from experiments.harness.experiment import Results
from experiments.harness.hole_training import HOLE, Fill, Holes, Images

NUM_SHOWN = 6
"""Number of test images of a figure."""


def compare_fills(x: Images, fills: Mapping[str, Fill], key: Key, side: int) -> Results:
    """Fill square holes of images at random positions by each method.

    Args:
        x: images in [0, 1].
        fills: methods by name.
        key: key of the positions.
        side: side of the holes in pixels.

    Returns:
        Metrics: PSNR of the holes by method, in decibels. Array "filled": some images with holes
        (`HOLE`), filled by each method, and original, [2 + methods, images, height, width].
    """
    holes = block_holes(key, x.shape, side)
    filled = {name: fill(x, holes) for name, fill in fills.items()}
    metrics = {name: hole_psnr(x, each, holes) for name, each in filled.items()}
    images = np.stack([np.where(holes, HOLE, x), *filled.values(), x])
    shown = images[:, :: max(1, len(x) // NUM_SHOWN)][:, :NUM_SHOWN]
    return Results(metrics, {"filled": shown})


def block_holes(key: Key, shape: tuple[int, int, int], side: int) -> Holes:
    """Sample one square hole per image at a uniform position; true for missing pixels.

    Args:
        key: key of the positions.
        shape: number of images, height and width.
        side: side of the hole in pixels.
    """
    return np.array(corruptions.block_masking(size=(side, side))(key, jnp.ones(shape)) == 0)


def filled_by_biharmonic(x: Images, holes: Holes) -> Images:
    """Fill each hole by biharmonic interpolation from its surroundings, with scikit-image.

    Args:
        x: images in [0, 1]; pixels in holes are ignored.
        holes: masks of the missing pixels.
    """
    known = np.where(holes, 0, x)
    return np.stack([inpaint_biharmonic(*pair) for pair in zip(known, holes, strict=True)])


def filled_by_pca(x: Images, holes: Holes, *, pca: PCA, ridge: float) -> Images:
    """Fill each hole with a PCA reconstruction whose scores are fitted to the known pixels.

    x̂ = μ + V z with z = argmin ‖(x − μ − V z)_known‖² + ridge Σ z_i²/λ_i, clipped to [0, 1]. A zero
    ridge gives least squares; the noise variance gives the conditional mean of the missing pixels
    if scores are normal with variances λ.

    Args:
        x: images; pixels in holes are ignored.
        holes: masks of the missing pixels.
        pca: PCA fitted to complete images as rows.
        ridge: non-negative ridge parameter.
    """
    mean, basis = jnp.asarray(pca.mean_), jnp.asarray(pca.components_)
    decay = ridge * jnp.diag(1 / jnp.asarray(pca.explained_variance_))

    def fit(pair: tuple[Array, Array]) -> Array:
        image, known = pair
        seen = basis * known
        scores = jnp.linalg.solve(seen @ basis.T + decay, seen @ (image - mean))
        return mean + scores @ basis

    rows = jnp.asarray(x.reshape(len(x), -1)), jnp.asarray(~holes.reshape(len(x), -1))
    fitted = jax.jit(lambda pairs: jax.lax.map(fit, pairs))(rows)
    return np.where(holes, np.clip(np.asarray(fitted).reshape(x.shape), 0, 1), x)


def filled_by_total_variation(x: Images, holes: Holes, *, iterations: int = 1000) -> Images:
    """Fill each hole with the values of least total variation of the image, Σ |∇x|.

    The gradient ∇ takes forward differences, and |∇x| is its Euclidean length at each pixel
    (isotropic). Solved by the primal-dual algorithm with steps 1/√8.

    Args:
        x: images in [0, 1]; pixels in holes are ignored.
        holes: masks of the missing pixels.
        iterations: number of primal-dual steps.

    Source: Rudin, Osher & Fatemi 1992; Chan & Shen 2002 (inpainting); Chambolle & Pock 2011.
    """
    known, missing = jnp.asarray(np.where(holes, 0.5, x), jnp.float32), jnp.asarray(holes)
    step = 1 / np.sqrt(8)

    def update(_: int, state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        image, extrapolated, dual = state
        dual = dual + step * _gradient(extrapolated)
        dual = dual / jnp.maximum(1, jnp.linalg.norm(dual, axis=0))
        moved = jnp.where(missing, image + step * _divergence(dual), known)
        return moved, 2 * moved - image, dual

    start = known, known, jnp.zeros((2, *known.shape))
    image, _, _ = jax.lax.fori_loop(0, iterations, update, start)
    return np.where(holes, np.clip(np.asarray(image), 0, 1), x)


def hole_psnr(x: Images, filled: Images, holes: Holes) -> float:
    """Peak signal-to-noise ratio of the pixels in holes, in decibels, for pixels in [0, 1]."""
    return float(-10 * np.log10(np.square(filled - x)[holes].mean()))


SMOOTH = {"biharmonic": filled_by_biharmonic, "total variation": filled_by_total_variation}
"""Methods that continue the surroundings of a hole, and learn nothing."""


def _gradient(image: Array) -> Array:
    """Forward differences along both axes of [images, height, width]; 0 at the last pixel."""
    return jnp.stack(
        [
            jnp.diff(image, axis=axis, append=jax.lax.slice_in_dim(image, -1, None, axis=axis))
            for axis in (1, 2)
        ]
    )


def _divergence(dual: Array) -> Array:
    """Negative adjoint of `_gradient`."""

    def backward(part: Array, axis: int) -> Array:
        last = part.shape[axis] - 1
        inner = jax.lax.slice_in_dim(part, 0, last, axis=axis)
        pad = [(0, 0)] * part.ndim
        after, before = pad.copy(), pad.copy()
        after[axis], before[axis] = (0, 1), (1, 0)
        return jnp.pad(inner, after) - jnp.pad(inner, before)

    return backward(dual[0], 1) + backward(dual[1], 2)
