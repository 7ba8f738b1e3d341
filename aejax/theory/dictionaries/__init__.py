"""Theorems on sparse dictionaries, and on linear transcoders, crosscoders and prefix losses."""
