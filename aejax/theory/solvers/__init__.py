"""Solvers of the linear autoencoder."""
