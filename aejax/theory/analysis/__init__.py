"""Closed forms: moments, PCA, logistic PCA, Gaussian mixtures, backpropagation."""
