"""Inpainting: random holes, baselines by interpolation and by PCA, and image similarity."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float
from skimage.metrics import peak_signal_noise_ratio, structural_similarity
from skimage.restoration import inpaint_biharmonic
from sklearn.decomposition import PCA

from aejax import corruptions
from aejax.types import Array, Key

Images = Float[np.ndarray, "images height width"]
Holes = Bool[np.ndarray, "images height width"]


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


def similarity(x: Images, filled: Images) -> dict[str, float]:
    """Similarity of filled images to the originals, with scikit-image.

    Args:
        x: original images in [0, 1].
        filled: images with filled holes.

    Returns:
        "PSNR": peak signal-to-noise ratio in decibels from the mean squared error over all images,
        since that of a single image without error is infinite.
        "SSIM": mean structural similarity of the images.
    """
    similarities = [structural_similarity(*pair, data_range=1) for pair in zip(x, filled,
                    strict=True)]  # fmt: skip
    return {
        "PSNR": float(peak_signal_noise_ratio(x, filled, data_range=1)),
        "SSIM": float(np.mean(similarities)),
    }
