"""Motions as one HTML file that plays by itself, without a network."""

import math
from collections.abc import Sequence
from pathlib import Path

from motionrep.files.writing import written_beside
from motionrep.viewing.arrangement import Exhibit
from motionrep.viewing.scene import Stage
from motionrep.viewing.server import closing, open_server

_FASTEST_FPS = 30.0


def save_page(exhibits: Sequence[Exhibit], path: Path | str) -> Path:
    """Writes a page with the motions side by side, a time line and a speed menu; returns its path.

    The page is one file without a network request. Mesh, skeleton, keypoints and names are switched in its scene tree
    (the button at the bottom right). At most 30 frames per second are kept; of faster motions every n-th.

    Raises:
        ValueError: No exhibits, or the name does not end in .html.
        ImportError: viser is not installed.
        OSError: The file cannot be written; nothing is left of it.
    """
    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"{path}: a page is saved as .html, give the file that suffix")
    html = page_html(exhibits)
    with written_beside(path) as beside:
        beside.write_text(html, encoding="utf-8")
    return path


def page_html(exhibits: Sequence[Exhibit]) -> str:
    """The page of `save_page` as a string."""
    with closing(open_server("127.0.0.1", 0)) as server:
        stage = Stage(server, exhibits)
        recording = server.get_scene_serializer()
        fastest = max(figure.fps for figure in stage.figures)
        fps = fastest / math.ceil(fastest / _FASTEST_FPS - 1e-6)
        for tick in range(max(1, math.ceil(stage.seconds * fps - 1e-6))):
            stage.show(tick / fps)
            recording.insert_sleep(1 / fps)
        return recording.as_html()
