"""Support matrix of accelerators, compiled ahead of time for devices that are not at hand."""
