"""Holes in images: where they lie, how they are filled without a network, how near that comes."""

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
    """One square hole in each image, at a uniformly drawn place: true where pixels are missing.

    Args:
        key: of the places.
        shape: images, height and width.
        side: of the hole.
    """
    return np.array(corruptions.block_masking(size=(side, side))(key, jnp.ones(shape)) == 0)


def filled_by_biharmonic(x: Images, holes: Holes) -> Images:
    """Each hole filled by the smoothest surface through the pixels around it, by scikit-image.

    Args:
        x: images in [0, 1]; what lies in the holes is not looked at.
        holes: true where pixels are missing.
    """
    known = np.where(holes, 0, x)
    return np.stack([inpaint_biharmonic(*pair) for pair in zip(known, holes, strict=True)])


def filled_by_pca(x: Images, holes: Holes, *, pca: PCA, ridge: float) -> Images:
    """Each hole filled by the principal components that fit the known pixels.

    x̂ = μ + V z with z = argmin ‖(x − μ − V z)_known‖² + ridge Σ z_i²/λ_i, clipped to [0, 1]: least
    squares at ridge 0, and with the noise's variance the mean of the missing pixels given the
    known, where scores are normal with variances λ.

    Args:
        x: images; what lies in the holes is not looked at.
        holes: true where pixels are missing.
        pca: fitted to whole images, as rows.
        ridge: zero or above.
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


def nearness(x: Images, filled: Images) -> dict[str, float]:
    """How near filled images come to the whole ones, by scikit-image.

    Args:
        x: the whole images, in [0, 1].
        filled: the same with filled holes.

    Returns:
        "PSNR": the peak signal-to-noise ratio in decibels, of the mean squared error of all images
        together: single images have none where a hole of blank background is filled without error.
        "SSIM": the mean of the images' structural similarity.
    """
    similarities = [structural_similarity(*pair, data_range=1) for pair in zip(x, filled,
                    strict=True)]  # fmt: skip
    return {
        "PSNR": float(peak_signal_noise_ratio(x, filled, data_range=1)),
        "SSIM": float(np.mean(similarities)),
    }
