"""Packages that need not be installed."""

from importlib import import_module
from types import ModuleType


def optional(module: str, what: str, remedy: str) -> ModuleType:
    """A module of a package that may be missing.

    Raises:
        ModuleNotFoundError: It is missing; the message says what needs it and how to get it.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"{what} needs {module.partition('.')[0]}: {remedy}", name=module) from error
