"""The viewer: a page that this machine serves, with playback, switches and the similarity of moments."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any

import numpy as np

from motionrep.viewing.access import Gate
from motionrep.viewing.arrangement import ViewedMotion
from motionrep.viewing.framing import Framing
from motionrep.viewing.scene import Scene
from motionrep.viewing.server import open_server, quiet
from motionrep.viewing.similarity import moments, similarity_to

logger = logging.getLogger(__name__)

_TICK_S = 1 / 30
_PLOT_EVERY_S = 0.1
_SPEEDS = {"0.25x": 0.25, "0.5x": 0.5, "1x": 1.0, "1.5x": 1.5, "2x": 2.0}
_CLEAR_OPACITY = 0.55


class Viewer:
    """Serves motions to browsers until it is closed; also a context manager.

    Motions of different frame rates run by the clock. It needs `pip install "motionrep[view]"`.

    Args:
        host: 127.0.0.1 serves browsers on this machine only, 0.0.0.0 whoever can reach it and knows the link.
        port: 0 takes any free port. If the port is taken, the next free one is used; `url` names it.

    Attributes:
        url: The link, with a token that no request can do without.

    Raises:
        ImportError: viser is not installed.
        ValueError: No motions, or no such host or port.
        OSError: No port is free.
    """

    def __init__(self, motions: Sequence[ViewedMotion], host: str = "127.0.0.1", port: int = 8080) -> None:
        gate = Gate(host)
        self._server = open_server(host, port, gate)
        self.url = gate.link(self._server.get_port())
        self._lock = threading.Lock()
        self._playing, self._closed = threading.Event(), threading.Event()
        try:
            self._scene = Scene(self._server, motions)
            self._framing = Framing(self._server, self._scene.overview)
            self._add_controls()
            self._similarities = list(self._add_similarities())
            self._show(0.0)
        except BaseException:
            with quiet():
                self._server.stop()
            raise
        self._thread = threading.Thread(target=self._play, name="motionrep-viewer", daemon=True)
        self._thread.start()
        self._playing.set()

    def close(self) -> None:
        """Stops playing and serving."""
        self._closed.set()
        self._playing.set()
        self._thread.join()
        with quiet():
            self._server.stop()

    def __enter__(self) -> "Viewer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def time_s(self) -> float:
        """The moment that is shown."""
        return self._time.value

    def wait(self) -> None:
        """Returns when another thread closes the viewer. Ctrl-C ends it with KeyboardInterrupt."""
        self._closed.wait()

    def _add_controls(self) -> None:
        gui = self._server.gui
        gui.configure_theme(show_logo=False, show_share_button=False, control_width="medium")
        gui.set_panel_label("motionrep")
        gui.main_panel.dock_right()
        self._button = gui.add_button("Pause")
        self._button.on_click(lambda _: self._set_playing(not self._playing.is_set()))
        self._time = gui.add_slider("Time (s)", 0.0, max(self._scene.seconds, 0.01), 0.01, 0.0)
        self._time.on_update(self._on_time)
        self._speed = gui.add_dropdown("Speed", tuple(_SPEEDS), initial_value="1x")
        figures = self._scene.figures
        with gui.add_folder("Show"):
            has_mesh = any(figure.mesh is not None for figure in figures)
            self._mesh = gui.add_checkbox("Mesh", has_mesh, disabled=not has_mesh)
            self._skeleton = gui.add_checkbox("Skeleton", not has_mesh)
            for box in (self._mesh, self._skeleton):
                box.on_update(lambda _: self._toggle())
            self._toggle()
            if any(figure.keypoints is not None for figure in figures):
                keypoints = gui.add_checkbox("Input keypoints", True)
                nodes = [node for figure in figures if figure.keypoints is not None for node in figure.keypoints.nodes]
                keypoints.on_update(lambda _: _set_visible(nodes, keypoints.value))
            if self._scene.videos:
                video = gui.add_checkbox("Video", True)
                planes = [node for one in self._scene.videos for node in (one.image, one.label)]
                video.on_update(lambda _: _set_visible(planes, video.value))
            names = gui.add_checkbox("Names", True)
            names.on_update(lambda _: _set_visible([figure.label for figure in figures], names.value))
        gui.add_button("Reset camera").on_click(lambda _: self._framing.reset())

    def _toggle(self) -> None:
        """Shows mesh and skeleton as the boxes say; with both on, the skeleton shows through the mesh."""
        for figure in self._scene.figures:
            figure.skeleton.visible = self._skeleton.value or figure.mesh is None
            if figure.mesh is not None:
                figure.mesh.visible = self._mesh.value
                figure.mesh.opacity = _CLEAR_OPACITY if self._skeleton.value else None

    def _add_similarities(self) -> Iterator[Callable[[float], None]]:
        """Adds a plot for each motion with an embedding; yields functions that set the plots to a time."""
        gui = self._server.gui
        for figure in self._scene.figures:
            embedding = figure.placed.viewed.embedding
            if embedding is None:
                continue
            moment, seconds = moments(embedding), figure.begin_s + np.arange(figure.frame_count) / figure.fps
            if len(moment) < 2:
                continue
            with gui.add_folder(f"Similarity to this moment: {figure.placed.viewed.label}"):
                plot = gui.add_uplot(
                    (seconds, np.zeros(len(seconds))),
                    ({"label": "s"}, {"label": "cosine", "stroke": "#2b78bf", "width": 2}),
                    scales={"x": {"time": False}, "y": {"range": (-1.2, 1.2)}},
                    legend={"show": False},
                    height=130,
                )

            def update(time_s: float, figure=figure, moment=moment, seconds=seconds, plot=plot) -> None:
                values = similarity_to(moment, figure.frame_at(time_s)).double().numpy()
                plot.data = (seconds, values)

            yield update

    def _set_playing(self, playing: bool) -> None:
        self._button.label = "Pause" if playing else "Play"
        if playing:
            self._playing.set()
        else:
            self._playing.clear()
            self._show(self._time.value)

    def _on_time(self, event: Any) -> None:
        """Pauses if a person moved the slider; `_play` moves it as well, without a client."""
        if event.client is not None:
            self._set_playing(False)

    def _play(self) -> None:
        """Moves the slider by the clock while playing; starts again at the end."""
        last_s = plotted_s = time.monotonic()
        while not self._closed.is_set():
            if not self._playing.is_set():
                self._playing.wait()
                last_s = time.monotonic()
                continue
            now_s = time.monotonic()
            moment_s = self._time.value + (now_s - last_s) * _SPEEDS[self._speed.value]
            last_s = now_s
            self._time.value = moment_s % self._scene.seconds
            with_plots = now_s - plotted_s > _PLOT_EVERY_S
            plotted_s = now_s if with_plots else plotted_s
            self._show(self._time.value, with_plots)
            self._closed.wait(_TICK_S)

    def _show(self, time_s: float, with_plots: bool = True) -> None:
        with self._lock:
            self._scene.show(time_s)
            if with_plots:
                for update in self._similarities:
                    update(time_s)


def view(
    motions: Sequence[ViewedMotion],
    host: str = "127.0.0.1",
    port: int = 8080,
    opened: Callable[[str], None] | None = None,
) -> None:
    """Serves motions until Ctrl-C, which ends it quietly. Arguments and errors are those of `Viewer`.

    Args:
        opened: Called with the address once the page is there; None logs it.
    """
    with Viewer(motions, host, port) as viewer, contextlib.suppress(KeyboardInterrupt):
        (opened or (lambda url: logger.info("viewer at %s", url)))(viewer.url)
        viewer.wait()


def _set_visible(nodes: Sequence[Any], visible: bool) -> None:
    for node in nodes:
        node.visible = visible
