"""Theorems on how linear and non-linear autoencoders learn."""
