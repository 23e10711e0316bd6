"""Motions as one HTML file that plays by itself, without a network."""

import html
import math
from collections.abc import Sequence
from pathlib import Path

from motionrep.files.writing import written_beside
from motionrep.viewing.access import OFFLINE
from motionrep.viewing.arrangement import ViewedMotion
from motionrep.viewing.scene import Scene
from motionrep.viewing.server import closing, open_server

_FASTEST_FPS = 30.0
_MOST_PICTURES = 600


def save_page(motions: Sequence[ViewedMotion], path: Path | str) -> Path:
    """Writes a page with the motions side by side, a time line and a speed menu; returns its path.

    The page is one file that makes no network request, and its content-security policy allows none. The button at the
    bottom right opens the scene tree, which shows and hides mesh, skeleton, keypoints, video and names. At most 30
    frames per second are kept: of faster motions every n-th. Of a video there are at most 15 pictures in a second and
    600 in all, of 640 pixels on the longer side; they take about 25 MB.

    Raises:
        ValueError: No motions, or the name does not end in .html.
        ImportError: viser is not installed.
        OSError: The file cannot be written; nothing is left of it.
    """
    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"{path}: a page is saved as .html, give the file that suffix")
    page = page_html(motions)
    with written_beside(path) as beside:
        beside.write_text(page, encoding="utf-8")
    return path


def page_html(motions: Sequence[ViewedMotion]) -> str:
    """The page of `save_page` as a string."""
    with closing(open_server("127.0.0.1", 0)) as server:
        scene = Scene(server, motions, _MOST_PICTURES)
        for figure in scene.figures:
            figure.skeleton.visible = figure.mesh is None  # it would show through where a browser draws the mesh late
        scene.show(scene.seconds)  # so that the beginning is recorded as a change, to which the player comes back
        recording = server.get_scene_serializer()
        fastest = max(figure.fps for figure in scene.figures)
        fps = fastest / math.ceil(fastest / _FASTEST_FPS - 1e-6)
        for tick in range(max(1, math.ceil(scene.seconds * fps - 1e-6))):
            scene.show(tick / fps)
            recording.insert_sleep(1 / fps)
        title = html.escape(", ".join(figure.placed.viewed.label for figure in scene.figures))
        page = recording.as_html().replace("<title>Viser</title>", f"<title>{title}</title>", 1)
        page = page.replace("<head>", f"<head>{OFFLINE}", 1)
        head = page.index("</title>") + len("</title>")
        return page[:head] + scene.overview.script() + page[head:]
