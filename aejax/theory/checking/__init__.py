"""Certificates of theorems, the problem (data and code size), and tolerances."""
