"""Motions in a browser: a page served by this machine (`view`), or one file to send to somebody (`save_page`)."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from motionrep.viewing.arrangement import ViewedMotion
    from motionrep.viewing.page import save_page
    from motionrep.viewing.viewer import Viewer, view

__all__ = ["ViewedMotion", "Viewer", "save_page", "view"]

# Nothing is imported before it is used: the report and the map of embeddings need none of it.
_MODULE_OF = {"ViewedMotion": "arrangement", "Viewer": "viewer", "save_page": "page", "view": "viewer"}


def __getattr__(name: str) -> Any:
    """A public name, imported when it is first asked for."""
    if name in _MODULE_OF:
        return getattr(import_module(f"motionrep.viewing.{_MODULE_OF[name]}"), name)
    raise AttributeError(f"module 'motionrep.viewing' has no attribute {name!r}")
