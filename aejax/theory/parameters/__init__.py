"""Theorems on biases, tied weights, L2 penalties and the order of components."""
