"""Certificates of four basic theorems: loss, map, gradient training and invariance."""

from aejax import theory

FIRST = ("optimal_loss", "optimal_map", "gradient_training", "code_invariance")


def certificates(x, code, *, key=None, theorems=FIRST):
    return theory.certificates(x, code, key=key, theorems=theorems)
