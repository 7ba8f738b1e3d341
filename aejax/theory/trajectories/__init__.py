"""Trajectories of training that the figures of the theorems show."""
