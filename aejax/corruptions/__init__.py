"""Corruptions of the input: (key, x) -> x_corrupted. The target remains the clean x.

Each factory takes a noise level, which may be traced, and returns the corruption. So the level can
be a hyperparameter (`training.fit_population`), follow a schedule (`training.epoch` scanned over
levels), or be drawn for each example (`random_level`).
"""

from aejax.corruptions.block_masks import block_masking as block_masking
from aejax.corruptions.block_masks import on_images as on_images
from aejax.corruptions.block_masks import patch_masking as patch_masking
from aejax.corruptions.elementwise import gaussian as gaussian
from aejax.corruptions.elementwise import masking as masking
from aejax.corruptions.elementwise import salt_and_pepper as salt_and_pepper
from aejax.corruptions.noise_levels import random_level as random_level
