"""`motionrep render`."""

import argparse
from pathlib import Path
from typing import Literal

import motionrep
from motionrep.commands.inputs import load_people, npz_fields
from motionrep.commands.options import MOTION_FILES, Axes, Size, add_choice, add_clip, add_device
from motionrep.types import Keypoints


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("motion", type=Path, help=MOTION_FILES)
    parser.add_argument("--output", type=Path, required=True, help="An .mp4 or .gif file, or a folder for pictures.")
    parser.add_argument("--keypoints", type=Path, help="The keypoint file the motion came from, to show beside it.")
    add_choice(parser, "or of the keypoint file ")
    parser.add_argument(
        "--views", nargs="+", choices=("camera", "side"), default=["camera", "side"], help="Left out, both."
    )
    parser.add_argument("--height", type=int, default=480, help="Height of a view in pixels (default %(default)s).")
    parser.add_argument(
        "--supersample", type=int, default=2,
        help="Samples per pixel along each side; 1 is fast and jagged, 2 is smooth (default %(default)s).",
    )  # fmt: skip
    add_clip(parser)
    add_device(parser)


def run(
    motion: Path, output: Path, keypoints: Path | None, person: int | None, frame: Axes | None,
    views: list[Literal["camera", "side"]], height: int, supersample: int, layout: str | None, fps: float | None,
    size: Size | None, device: str,
) -> None:  # fmt: skip
    """Renders a motion file as a video, or as pictures."""
    if motion.suffix.lower() == ".json" or motion.is_dir() or "0.xy_px" in npz_fields(motion):
        raise ValueError(f"{motion}: holds keypoints, not a motion; run motionrep predict on it first")
    of_keypoints = {"layout": layout, "size": size} | ({} if motion.suffix.lower() == ".pkl" else {"fps": fps})
    given = [name for name, value in of_keypoints.items() if value is not None]
    if given and keypoints is None:
        raise ValueError(f"{motion}: a motion file, and --{given[0]} is for --keypoints; leave it out")
    if "position_m" in npz_fields(motion):
        shown = motionrep.load_joint_motion(motion)
    else:  # with keypoints, --person is also, and often only, for them
        pickled = motion.suffix.lower() == ".pkl"
        chosen = person if pickled or keypoints is None else None
        shown = motionrep.load_motion(motion, person=chosen, frame=frame, fps=fps if pickled else None)
    clip: Keypoints | None = None
    if keypoints is not None:
        people = load_people(keypoints, layout, fps, size)
        if not 0 <= (person or 0) < len(people):
            raise ValueError(f"{keypoints}: holds {len(people)} person(s), so --person must be 0 to {len(people) - 1}")
        clip = people[person or 0]
    print(
        motionrep.render(
            shown, output, keypoints=clip, views=views, height_px=height, supersample=supersample, device=device,
            progress=True,
        )
    )  # fmt: skip
