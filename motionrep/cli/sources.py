"""Keypoint files and videos that a command was given, and the options about how they become keypoints."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from motionrep.cli.extras import require
from motionrep.cli.options import FrameOrder, Size, clip_of_video
from motionrep.detection.names import DEFAULT_DETECTOR
from motionrep.files.contents import VIDEO_SUFFIXES, Contents, look
from motionrep.files.kinds import kind_of, lacks_size

if TYPE_CHECKING:
    from motionrep.types import Keypoints

RESULTS = Path("results")  # the folder of commands that are told none
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Reading:
    """The options about how files and videos become keypoints; `video` is the source video of keypoint files."""

    layout: str | None = None
    fps: float | None = None
    size: Size | None = None
    frame_order: FrameOrder = "number"
    all_persons: bool = False
    detector: str | None = None
    device: str = "cpu"
    video: Path | None = None

    def look(self, *paths: Path) -> list[Contents]:
        """The sources, all of which are there and say, with the options, what has to be known.

        Raises:
            FileNotFoundError: One is not there.
            ValueError: The size of the picture is not known, or an option is for sources that were not given.
            ImportError: There is a video, and PyAV is missing.
        """
        found = []
        for path in paths:
            if not path.exists():
                raise FileNotFoundError(f"{path}: no such keypoint file, video or folder")
            found.append(look(path))
        videos = [contents for contents in found if is_filmed(contents)]
        for contents in found:
            if contents in videos:
                self._require_video(contents)
            elif self.size is None and self.video is None and lacks_size(contents):
                raise ValueError(
                    f"{contents.path}: does not say how large the picture is; pass its size as --size 1920x1080, or "
                    "the video as --size video.mp4"
                )
        self._refuse(found, videos)
        return found

    def read(self, contents: Contents, kept: Path) -> "list[Keypoints]":
        """The persons of a keypoint file or a video.

        Args:
            kept: Where the keypoints of a video are kept, or were kept the last time.
        """
        if is_filmed(contents):
            from motionrep.pipeline.sources import detected_once

            detector = self.detector or DEFAULT_DETECTOR
            people = detected_once(contents.path, kept, detector, fps=self.fps, device=self.device, progress=True)
            return _told(contents, people)
        from motionrep.keypoints.loading import read_keypoints

        size, fps = self.size, self.fps
        if size is None and self.video is not None and lacks_size(contents):
            size, fps = clip_of_video(self.video, fps)
        people = read_keypoints(contents, self.layout, fps, size, self.frame_order, self.all_persons)
        return _told(contents, people)

    @property
    def of_files(self) -> dict[str, object]:
        """The options that are for keypoint files alone; None for those that were not given."""
        order = None if self.frame_order == "number" else self.frame_order
        own: dict[str, object] = {"size": self.size, "layout": self.layout, "video": self.video}
        return own | {"all-persons": self.all_persons or None, "frame-order": order}

    def filmed_in(self, contents: Contents) -> Path | None:
        """The video or the pictures that keypoints are from; None if they are not known."""
        return contents.path if is_filmed(contents) else self.video

    def _require_video(self, contents: Contents) -> None:
        if kind_of(contents).name == "folder of videos":
            raise ValueError(f"{contents.path}: holds several videos; give one of them")
        if kind_of(contents).holds == "video":
            require("video", f"{contents.path}: reading a video", "av")

    def _refuse(self, found: Sequence[Contents], videos: Sequence[Contents]) -> None:
        """Raises ValueError for an option that none of the sources takes."""
        if self.detector is not None and all(kind_of(one).holds == "keypoints" for one in found):
            raise ValueError(f"{found[0].path}: has keypoints already, and --detector is for videos; remove it")
        if len(videos) == len(found) and (
            given := [name for name, value in self.of_files.items() if value is not None]
        ):
            raise ValueError(f"{found[0].path}: is a video, and --{given[0]} is for keypoint files; remove it")


def _told(contents: Contents, people: "list[Keypoints]") -> "list[Keypoints]":
    """The people, after a line that says what was read."""
    frames = max(one.first_frame + one.frame_count for one in people) - min(one.first_frame for one in people)
    one = people[0]
    logger.info(
        "read %s (%s): %d person(s), %d frames at %g fps, %d x %d px, layout %s",
        contents.path, kind_of(contents).name, len(people), frames, one.fps, one.width_px, one.height_px,
        one.layout.name,
    )  # fmt: skip
    return people


def is_filmed(contents: Contents) -> bool:
    """Whether keypoints have to be found first: in a video, a picture, or a folder of them."""
    return kind_of(contents).holds in ("video", "picture")


def with_folders_of_videos(paths: Sequence[Path]) -> list[Path]:
    """The paths, and the videos of a folder in its place, in the order of their names."""
    found: list[Path] = []
    for path in paths:
        folder = path.is_dir() and kind_of(path).name == "folder of videos"
        inside = sorted(file for file in path.iterdir() if file.suffix.lower() in VIDEO_SUFFIXES) if folder else []
        found += [file for file in inside if not file.name.startswith(".")] or [path]
    return found


def called(path: Path) -> str:
    """What results of a file or folder are named after."""
    return path.absolute().name if path.is_dir() else path.stem


def kept_in(folder: Path, paths: Sequence[Path]) -> list[Path]:
    """Where the keypoints of videos are kept: NAME_keypoints.npz in the folder of the output."""
    names = list(map(called, paths))
    if len(set(names)) < len(names):
        names = ["_".join(path.with_suffix("").parts[1:]) for path in map(Path.absolute, paths)]
    return [folder / f"{name}_keypoints.npz" for name in names]
