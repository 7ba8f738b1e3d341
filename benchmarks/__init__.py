"""Measurements, each a command that writes its table under `results/`."""
