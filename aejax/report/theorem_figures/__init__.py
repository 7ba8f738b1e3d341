"""Figures of the theorem report, one or more per theorem, computed from the user's data."""
