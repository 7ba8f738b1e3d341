"""Theorems on the optimum of the linear autoencoder and on its loss landscape."""
