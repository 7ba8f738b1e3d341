"""Faults put into `aejax train` at chosen moments, and what is left of the run: `make faults`."""
