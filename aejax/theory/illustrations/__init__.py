"""Quantities that the figures of the theorems show."""
