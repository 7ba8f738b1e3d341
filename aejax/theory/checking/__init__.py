"""Certificates, the problem that they are about, and their tolerances."""
