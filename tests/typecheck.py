"""The run-time check of annotations in tests: beartype, where an int may stand for a float."""

from beartype import BeartypeConf, beartype

typecheck = beartype(conf=BeartypeConf(is_pep484_tower=True))
