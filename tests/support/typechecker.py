"""The checker that executes annotations in the tests: beartype, with an int where a float is annotated (PEP 484)."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from beartype import BeartypeConf, beartype

_checked = beartype(conf=BeartypeConf(is_pep484_tower=True))


def check(function: Callable) -> Callable:
    """Its annotations are compiled when it is first called: most functions of the library are called by few tests."""
    compiled: Callable | None = None

    @wraps(function)
    def call(*arguments: Any, **options: Any) -> Any:
        nonlocal compiled
        if compiled is None:
            compiled = _checked(function)
        return compiled(*arguments, **options)

    return call
