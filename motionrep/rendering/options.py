"""How motions are drawn: the options of `render` and `render_frames`."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from numbers import Integral
from typing import TypedDict, Unpack, get_args

from motionrep.files.naming import did_you_mean
from motionrep.rendering.backends.choice import require_backend
from motionrep.rendering.labels import checked_labels
from motionrep.rendering.looks import Arrange, Background, Show, View

_OTHER_ARGUMENTS = ("keypoints", "camera", "video", "compare_to", "options")


@dataclass(frozen=True)
class RenderOptions:
    """How motions are drawn. One set of options serves any number of motions.

    Views:
        "video" is the source video. "keypoints" draws the input on it, or on paper.
        "camera" is the motion's own camera for a motion in camera axes, so the picture coincides with the keypoints;
        otherwise the camera stands in front of the person. "overlay" draws the same on the source video.
        "side" stands 90 degrees to the right of the front. "turntable" goes round once in about 6 seconds.

    Attributes:
        views: The panels, from left to right. None means "keypoints" if there are any, "camera" (or "overlay" with a
            video) and "side".
        arrange: "together" draws all motions in one picture. "apart" draws one picture each, side by side.
        show: "skeleton" draws the joints of a body instead of its surface.
        background: "studio" is grey with a checkered floor. "white" and "transparent" have only the shadow.
        names: Of the motions, for a legend or for the titles.
        labels: Actions over time: tuples (start_s, end_s, text) or (start_s, end_s, text, score between 0 and 1), for
            instance `astuple` of the segments of an `ActionTimeline`. Seconds count from the first frame drawn.
        titles: Whether a line of text stands below each panel. Without titles, and with one view, the picture has
            exactly width_px by height_px pixels.
        error_scale_mm: With `compare_to`, the distance that is dark red. None means a round number that 95 % of the
            errors stay below.
        width_px: Of each panel. None means the proportions of the camera's, the keypoints' or the video's image, or
            4:3 without any.
        height_px: Of each panel, without the text below it.
        fps: Frames written per second; None means the rate of the motion. The video lasts as long at any rate: frames
            are repeated or left out.
        speed: 0.5 is slow motion.
        supersample: Samples per pixel along x and y. 1 is fast and jagged, 2 is smooth.
        backend: Which rasteriser draws, a name in `backends.BACKENDS`. "auto" is "pyrender" where OpenGL runs
            on a GPU, and otherwise "raster".
        device: Where torch computes, such as "cuda".

    Raises:
        ValueError: An option has a value that it cannot have.
    """

    views: Sequence[View] | None = None
    arrange: Arrange = "together"
    show: Show = "surface"
    background: Background = "studio"
    names: Sequence[str] = ()
    labels: Sequence[tuple] = ()
    titles: bool = True
    error_scale_mm: float | None = None
    width_px: int | None = None
    height_px: int = 480
    fps: float | int | None = None
    speed: float = 1.0
    supersample: int = 2
    backend: str = "auto"
    device: str = "cpu"

    def __post_init__(self) -> None:
        for name, value in (("views", self.views), ("names", self.names)):
            if isinstance(value, str):
                raise ValueError(f"{name} must be a list, got the text {value!r}; pass {name}=[{value!r}]")
        for view in self.views or ():
            _require_known("view", view, get_args(View))
        _require_known("arrange", self.arrange, get_args(Arrange))
        _require_known("show", self.show, get_args(Show))
        _require_known("background", self.background, get_args(Background))
        for name, size in (
            ("width_px", self.width_px), ("height_px", self.height_px), ("supersample", self.supersample)
        ):  # fmt: skip
            if size is not None and not (isinstance(size, Integral) and size >= 1):
                raise ValueError(f"{name} must be a whole number of at least 1, got {size!r}")
        for name, number in (("fps", self.fps), ("speed", self.speed), ("error_scale_mm", self.error_scale_mm)):
            if number is not None and not (math.isfinite(number) and number > 0):
                raise ValueError(f"{name} must be a positive number, got {number}")
        checked_labels(self.labels)
        require_backend(self.backend)


class OptionChanges(TypedDict, total=False):
    """The fields of `RenderOptions` as keyword arguments, which type checkers know."""

    views: Sequence[View] | None
    arrange: Arrange
    show: Show
    background: Background
    names: Sequence[str]
    labels: Sequence[tuple]
    titles: bool
    error_scale_mm: float | None
    width_px: int | None
    height_px: int
    fps: float | int | None
    speed: float
    supersample: int
    backend: str
    device: str


def changed_options(options: RenderOptions | None, **changes: Unpack[OptionChanges]) -> RenderOptions:
    """The options, or the defaults for None, with some of them replaced.

    Raises:
        TypeError: A name that is no option; the message names the nearest one.
        ValueError: As `RenderOptions`.
    """
    known = [field.name for field in fields(RenderOptions)]
    for name in changes:
        if name not in known:
            hint = did_you_mean(name, (*known, *_OTHER_ARGUMENTS))
            raise TypeError(f"unknown option {name!r}{hint} (options: {', '.join(known)})")
    return replace(options or RenderOptions(), **changes)


def _require_known(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise ValueError(f"unknown {name} {value!r}{did_you_mean(str(value), known)} (known: {', '.join(known)})")
