"""Closed forms: PCA, moments, mixtures, back-propagation."""
