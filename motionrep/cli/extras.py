"""Asks for optional packages before a command begins its work."""

from importlib.util import find_spec


def require(extra: str, what: str, *modules: str) -> None:
    """Raises ImportError, with the command that installs them, if some of the modules are not there."""
    missing = [module for module in modules if not _is_there(module)]
    if missing:
        raise ImportError(f'{what} needs {" and ".join(missing)}: pip install "motionrep[{extra}]"')


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ValueError:  # of a module that is None in sys.modules
        return False
