"""Benchmarks, each a module that is run by name and writes its results below `results/`."""
