"""Random transformations of examples, resampled at every step."""

from aejax.augmentations.affine import affine as affine
