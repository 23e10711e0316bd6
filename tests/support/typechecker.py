"""The checker that executes annotations in the tests: beartype, with an int where a float is annotated (PEP 484)."""

from beartype import BeartypeConf, beartype

check = beartype(conf=BeartypeConf(is_pep484_tower=True))
