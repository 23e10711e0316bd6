"""Motions in a browser: a page served by this machine (`view`), or one file to send to somebody (`save_page`)."""

from motionrep.viewing.arrangement import Exhibit
from motionrep.viewing.page import save_page
from motionrep.viewing.viewer import Viewer, view

__all__ = ["Exhibit", "Viewer", "save_page", "view"]
