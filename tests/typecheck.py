"""Run-time type checker of the tests: beartype, which accepts an int for a float (PEP 484)."""

from beartype import BeartypeConf, beartype

typecheck = beartype(conf=BeartypeConf(is_pep484_tower=True))
