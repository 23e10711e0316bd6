"""What the files that a command was given hold, and which options they take."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from motionrep.cli.options import Axes, Size
from motionrep.files.contents import Contents, look
from motionrep.files.kinds import kind_of, lacks_size, require_kind

if TYPE_CHECKING:
    from motionrep.types import BodyMotion, JointMotion, Keypoints


def look_at_keypoints(path: Path, size: Size | None) -> Contents:
    """A keypoint file that is there, and whose picture size is known.

    Raises:
        FileNotFoundError: No such file.
        ValueError: It does not say the size, and --size was not given.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such keypoint file or folder")
    contents = look(path)
    if size is None and lacks_size(contents):
        raise ValueError(
            f"{path}: does not say how large the picture is; pass its size as --size 1920x1080, or the video as "
            "--size video.mp4"
        )
    return contents


def require_folder(output: Path) -> None:
    """Raises ValueError where --output is to be a folder and is a file."""
    if output.exists() and not output.is_dir():
        raise ValueError(f"--output {output}: is a file; give a folder for the results")


def one_of(people: "list[Keypoints]", person: int, path: Path) -> "Keypoints":
    """The person that --person names, of those of a keypoint file."""
    if not 0 <= person < len(people):
        raise ValueError(f"{path}: holds {len(people)} person(s), so --person must be 0 to {len(people) - 1}")
    return people[person]


def require_suffix(output: Path, what: str, *suffixes: str) -> None:
    """Raises ValueError unless the name of --output ends as one of the suffixes."""
    if output.suffix.lower() not in suffixes:
        raise ValueError(f"{output}: {what} are written as {', '.join(suffixes)}, give the file that suffix")


def name_of(path: Path, index: int, count: int) -> str:
    """What a person of a file is called: after the file, and numbered where there are several."""
    return path.stem if count == 1 else f"{path.stem}, person {index}"


def read_shown(contents: Contents, frame: Axes | None, fps: float | None) -> "Sequence[BodyMotion | JointMotion]":
    """The motions of a file, of bodies or of joints; `fps` counts only for kinds of files that take it."""
    kind = require_kind(contents, "motion", "joints")
    from motionrep.motion.loading import load_joint_motion, read_motions
    from motionrep.motion.records import MotionOptions

    if kind.holds == "joints":
        return [load_joint_motion(contents.path)]
    return read_motions(contents, MotionOptions(frame=frame, fps=fps if kind.takes_fps else None))


def refuse_clip_options(motions: Iterable[Contents], **options: object) -> None:
    """Raises ValueError for an option about keypoints that was given with motions only, none of which takes it."""
    files = list(motions)
    takes_fps = any(kind_of(file).takes_fps for file in files)
    for name, value in options.items():
        if value is None or (name == "fps" and takes_fps):
            continue
        if name == "fps":
            raise ValueError(f"{files[0].path}: already has a frame rate; remove --fps")
        raise ValueError(f"{files[0].path}: holds no keypoints, and --{name} is for keypoints; remove it")
