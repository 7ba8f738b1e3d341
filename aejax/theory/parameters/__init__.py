"""Theorems on biases, tied weights, L2 and the order of components."""
