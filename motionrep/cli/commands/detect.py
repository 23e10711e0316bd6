"""`motionrep detect`."""

from pathlib import Path
from typing import TYPE_CHECKING

from motionrep.cli.inputs import require_folder, require_suffix
from motionrep.cli.options import Parser, add_device

if TYPE_CHECKING:
    from motionrep.types import Keypoints

EXAMPLES = """\
  motionrep detect dance.mp4 --output dance.npz
  motionrep detect dance.mp4 --detector blazepose-full --output dance.json   # for tools that read AlphaPose
  motionrep detect monday.mp4 tuesday.mp4 --output keypoints                 # keypoints/monday.npz, ...
"""


def add_options(parser: Parser) -> None:
    parser.add_argument("videos", type=Path, nargs="+", metavar="VIDEO", help="Videos, images, or folders of images.")
    parser.add_argument(
        "--output", type=Path, required=True,
        help="The .npz to write, or a .json in AlphaPose's format with COCO's 17 joints; a folder for several videos.",
    )  # fmt: skip
    parser.add_argument(
        "--detector", default="blazepose",
        help="An installed one; blazepose-full is faster and less exact (default: %(default)s).",
    )  # fmt: skip
    parser.add_argument("--fps", type=float, help="Frames per second of a folder of images (default: 30).")
    add_device(parser)


def run(videos: list[Path], output: Path, detector: str, fps: float | None, device: str) -> None:
    """Finds everybody's keypoints in videos."""
    if len(videos) == 1:
        require_suffix(output, "keypoints", ".npz", ".json")
        outputs = [output]
    else:
        require_folder(output)
        outputs = [output / f"{video.stem}.npz" for video in videos]
        if len(set(outputs)) < len(outputs):
            raise ValueError("two videos have the same name, and so would their keypoints; detect them one by one")
    for video in videos:
        if not video.exists():
            raise FileNotFoundError(f"{video}: no such video, image or folder")
    import motionrep

    for video, path in zip(videos, outputs, strict=True):
        people = motionrep.detect(video, detector, fps=fps, device=device, progress=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        motionrep.save_keypoints([_coco(one) for one in people] if path.suffix == ".json" else people, path)
        end = max(one.first_frame + one.frame_count for one in people)
        print(f"{path}: {len(people)} person(s), {end} frames at {people[0].fps:g} fps")


def _coco(clip: "Keypoints") -> "Keypoints":
    """The 17 joints that AlphaPose's format has."""
    from dataclasses import replace

    from motionrep.layouts import COCO_17

    if clip.layout.joint_count == COCO_17.joint_count:
        return clip
    joints = [clip.layout.index(joint) for joint in COCO_17.joints]
    return replace(clip, xy_px=clip.xy_px[:, joints], confidence=clip.confidence[:, joints], layout=COCO_17)
