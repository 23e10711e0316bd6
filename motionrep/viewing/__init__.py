"""Motions in a browser: a page served by this machine (`view`), or one file to send to somebody (`save_page`)."""

from motionrep.viewing.live import Viewer, view
from motionrep.viewing.page import save_page
from motionrep.viewing.placing import Exhibit

__all__ = ["Exhibit", "Viewer", "save_page", "view"]
