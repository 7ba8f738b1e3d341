"""Theorems on noise: denoising, masking, contraction."""
