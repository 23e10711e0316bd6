"""Asks for optional packages before a command begins its work."""

from importlib.util import find_spec
from pathlib import Path

_VIDEOS = (".mp4", ".webm")


def require(extra: str, what: str, *modules: str) -> None:
    """Raises ImportError, with the command that installs them, if some of the modules are not there."""
    missing = [module for module in modules if not _is_there(module)]
    if missing:
        raise ImportError(f'{what} needs {" and ".join(missing)}: pip install "motionrep[{extra}]"')


def require_video(output: Path) -> None:
    """Raises ImportError if the output is a video that PyAV has to write, and PyAV is not there."""
    if output.suffix.lower() in _VIDEOS and not _is_there("av"):
        raise ImportError(
            f'{output}: .mp4 and .webm need PyAV: pip install "motionrep[video]"; .gif and folders of .png work '
            "without it"
        )


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ValueError:  # of a module that is None in sys.modules
        return False
