"""Theorems on the optimum, and on the landscape around it."""
