"""Theorems about probabilistic PCA and linear variational autoencoders."""
