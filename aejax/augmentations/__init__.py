"""Random transformations of examples, resampled at every step."""

from aejax.augmentations.affine import affine as affine
from aejax.augmentations.binarisation import binarise as binarise
from aejax.augmentations.fresh import fresh_samples as fresh_samples
