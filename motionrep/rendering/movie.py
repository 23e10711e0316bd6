"""A motion as a video: `render` writes it, `render_frames` yields its pictures."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby, islice, repeat
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import UInt8
from tqdm import tqdm

from motionrep.geometry.cameras import PinholeCamera
from motionrep.rendering.backends.choice import Backend
from motionrep.rendering.camera_views import Background, View
from motionrep.rendering.drawables import Motion, Show
from motionrep.rendering.plan import Arrange, Movie, plan_movie
from motionrep.rendering.video.sound import Sound
from motionrep.rendering.video.timing import source_pictures
from motionrep.rendering.video.writing import check_video_path, write_video
from motionrep.types import Keypoints

Given = TypeVar("Given")
Made = TypeVar("Made")

_FRAMES_AT_ONCE = 4


def render(
    motion: Motion | Sequence[Motion],
    path: Path | str,
    *,
    keypoints: Keypoints | Sequence[Keypoints] | None = None,
    camera: PinholeCamera | None = None,
    views: Sequence[View] | None = None,
    video: Path | str | None = None,
    audio: bool = False,
    compare_to: Motion | None = None,
    error_scale_mm: float | None = None,
    labels: Sequence[tuple] = (),
    names: Sequence[str] = (),
    arrange: Arrange = "together",
    show: Show = "surface",
    background: Background = "studio",
    titles: bool = True,
    width_px: int | None = None,
    height_px: int = 480,
    fps: float | int | None = None,
    speed: float = 1.0,
    supersample: int = 2,
    backend: Backend = "auto",
    device: str = "cpu",
    progress: bool = False,
) -> Path:
    """Writes a video of a motion: .mp4, .webm, .gif or, without a suffix, a folder of .png. Returns its path.

    The panels stand side by side, one for each view. `render_frames` explains all that is not said here.

    Args:
        audio: Keep the sound of `video` (.mp4 and .webm).
        progress: Show a progress bar on a terminal.

    Raises:
        ValueError: As `render_frames`; a path `write_video` refuses, or that of the source video; `audio` without a
            video that has sound, or at another speed than 1.
        ImportError: .mp4, .webm or `video` without PyAV, or a back end that is not installed.
        RuntimeError: A back end that does not work here.
        OSError: The file cannot be written; nothing is left of it.
    """
    path = check_video_path(path, with_alpha=background == "transparent", with_sound=audio)
    if video is not None and path.resolve() == Path(video).resolve():
        raise ValueError(f"{path}: is the source video and would be replaced; give the result another name")
    movie = plan_movie(
        motion, keypoints, camera, views, video, compare_to, error_scale_mm, labels, names, arrange, show, background,
        titles, width_px, height_px, fps, speed, supersample, backend, device,
    )  # fmt: skip
    sound = None
    if audio:
        if movie.video is None or speed != 1:
            raise ValueError(f"audio=True needs video= and speed=1, got video={video}, speed={speed:g}")
        if not movie.video.has_sound:
            raise ValueError(f"{movie.video.path} has no sound; leave audio out")
        sound = Sound(movie.video.path, movie.clock.start_s)
    shown = tqdm(_frames(movie), total=movie.clock.shown_count, unit="frame", disable=None if progress else True)
    return write_video(iter(shown), path, movie.clock.fps, sound)


def render_frames(
    motion: Motion | Sequence[Motion],
    *,
    keypoints: Keypoints | Sequence[Keypoints] | None = None,
    camera: PinholeCamera | None = None,
    views: Sequence[View] | None = None,
    video: Path | str | None = None,
    compare_to: Motion | None = None,
    error_scale_mm: float | None = None,
    labels: Sequence[tuple] = (),
    names: Sequence[str] = (),
    arrange: Arrange = "together",
    show: Show = "surface",
    background: Background = "studio",
    titles: bool = True,
    width_px: int | None = None,
    height_px: int = 480,
    fps: float | int | None = None,
    speed: float = 1.0,
    supersample: int = 2,
    backend: Backend = "auto",
    device: str = "cpu",
) -> Iterator[UInt8[np.ndarray, "height width channels"]]:
    """The frames of `render`, one after the other; what is in memory does not grow with the length of the clip.

    Views:
        "video" is the source video, "keypoints" the input on it or on paper.
        "camera" is the motion's own camera for a motion in camera axes, so it coincides with the keypoints; otherwise
        it stands in front. "overlay" is the same in front of the source video.
        "side" stands 90 degrees to the right of the front, "turntable" goes round once in about 6 seconds.

    Cameras without a place of their own show the whole clip, or go along smoothly with a person who walks far. In a
    motion in camera axes, up is guessed (`views.up_in_camera`, `views.up_from_steps`), the floor is the 5th percentile
    of the lowest points, and the camera's views show the floor only if the camera is at least 0.3 m above it. A motion
    in frame "root" has no height: it stands on the floor in every frame.

    Args:
        motion: One, or several in the same axes and of the same rate: persons, or results to compare. Each is drawn
            from its `first_frame` (that of its keypoints) to its end. Several have a colour each, by their place in the
            list. A single joint motion is blue on the left and red on the right.
        keypoints: Of the motion's clip; one for each person if there are several.
        camera: Of "camera" and "overlay"; when None, a motion in camera axes is seen with a field of view of 50
            degrees.
        views: When None, "keypoints" if given, "camera" or with a video "overlay", and "side". Keypoints that are
            given and not among the views come first.
        video: The file the keypoints were found in. Its frames appear at their own times; the motion begins at its
            frame `first_frame`, of the keypoints or, without any, its own.
        compare_to: Colours every vertex, or joint, by its distance from this motion's, with both pelvises in one place.
        error_scale_mm: The distance that is dark red; when None, a round number that 95 % of the errors are below.
        labels: What is done when: tuples (start_s, end_s, text) or (start_s, end_s, text, score between 0 and 1), for
            instance `astuple` of the segments of an `ActionTimeline`.
        names: Of the motions, for a legend or the titles.
        arrange: "together" draws all motions in one picture, "apart" in one each, side by side.
        show: "skeleton" draws the joints of a body instead of its surface.
        background: "studio" is grey with a checkered floor; "white" and "transparent" have the shadow only.
        titles: A line of text below each panel; without, and with one view, the frame is width_px by height_px.
        width_px: Of each panel; when None, in the proportions of the camera's, keypoints' or video's image, or 4:3.
        height_px: Of each panel, without the text below.
        fps: Frames written per second; the motion's own when None. It lasts as long at any rate: frames are repeated or
            left out.
        speed: 0.5 is slow motion.
        supersample: Samples per pixel along x and y: 1 is fast and jagged, 2 is smooth.
        backend: Who draws, see `backends.renderer`; "auto" is pyrender where OpenGL is hardware, else "raster".

    Raises:
        ValueError: A motion without frames, motions or keypoints that do not belong together, an unknown view, or one
            that needs a video or keypoints that are not there; labels, names or sizes that make no sense.
        ImportError: `video` without PyAV, or a back end that is not installed.
        RuntimeError: A back end that does not work here.
    """
    movie = plan_movie(
        motion, keypoints, camera, views, video, compare_to, error_scale_mm, labels, names, arrange, show, background,
        titles, width_px, height_px, fps, speed, supersample, backend, device,
    )  # fmt: skip
    return _frames(movie)


def _frames(movie: Movie) -> Iterator[np.ndarray]:
    """The generator behind `render_frames`, which checks before the first frame is asked for."""
    clock, shots, sheet = movie.clock, movie.shots, movie.sheet

    def draw_chunk(moments: Sequence[tuple[int, int, np.ndarray | None]]) -> list[tuple[int, np.ndarray]]:
        repeats, frames, sources = zip(*moments, strict=True)
        pictures = shots.draw(list(frames), sources)
        return [(count, sheet.row(panels)) for count, panels in zip(repeats, pictures, strict=True)]

    workers = min(os.cpu_count() or 1, 8) if shots.device.type == "cpu" else 1
    moments, shown = _moments(movie), 0
    chunks = iter(lambda: list(islice(moments, _FRAMES_AT_ONCE)), [])
    for rows in _in_order(draw_chunk, chunks, workers):
        for count, row in rows:
            for _ in range(count):
                yield sheet.with_strips(row, clock.time_s(shown))
                shown += 1


def _moments(movie: Movie) -> Iterator[tuple[int, int, np.ndarray | None]]:
    """How often each picture is shown, the motion's frame, and the video's picture; read when it is asked for."""
    clock = movie.clock
    source_frame = clock.motion_frame if clock.source_frame is None else clock.source_frame
    pairs = zip(clock.motion_frame.tolist(), source_frame.tolist(), strict=True)
    moments = [(pair, len(list(same))) for pair, same in groupby(pairs)]
    pictures: Iterator[np.ndarray | None] = repeat(None)
    if movie.shows_video and movie.video is not None:
        pictures = source_pictures(movie.video, (source for (_, source), _ in moments), movie.sheet.panel_px)
    for ((frame, _), count), picture in zip(moments, pictures, strict=False):
        yield count, frame, picture


def _in_order(make: Callable[[Given], Made], items: Iterable[Given], workers: int) -> Iterator[Made]:
    """`map` on several threads, a few items ahead. Drawing is many small operations: one thread for each is fastest."""
    executor = ThreadPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,))
    ahead: deque = deque()
    try:
        for item in items:
            ahead.append(executor.submit(make, item))
            if len(ahead) > workers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        executor.shutdown(wait=True, cancel_futures=True)
