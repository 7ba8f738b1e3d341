"""Theorems on denoising and contractive autoencoders."""
