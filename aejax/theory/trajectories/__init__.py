"""Training trajectories for the figures of the theorems."""
