"""What the files that a command was given hold, and which options they take."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from motionrep.cli.options import Axes, Up
from motionrep.files.contents import Contents
from motionrep.files.kinds import kind_of, require_kind

if TYPE_CHECKING:
    from motionrep.types import BodyMotion, JointMotion, Keypoints


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


def name_of(name: str, index: int, count: int) -> str:
    """What a person of a file is called: after the file, and numbered where there are several."""
    return name if count == 1 else f"{name}, person {index}"


def read_shown(
    contents: Contents, frame: Axes | None, fps: float | None, body: str | None = None, up: Up | None = None
) -> "Sequence[BodyMotion | JointMotion]":
    """The motions of a file, of bodies or of joints; `fps` counts only for kinds of files that take it."""
    kind = require_kind(contents, "motion", "joints")
    from motionrep.motion.loading import load_joint_motion, read_motions
    from motionrep.motion.records import MotionOptions

    if kind.holds == "joints":
        if up is not None:
            raise ValueError(f"{contents.path}: holds joints, and --up is for motions; remove it")
        return [load_joint_motion(contents.path)]
    given_fps = fps if kind.takes_fps else None
    return read_motions(contents, MotionOptions(body or "open", frame=frame, fps=given_fps, up=up))


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
