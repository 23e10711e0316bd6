"""`motionrep detect`."""

import glob
import re
from pathlib import Path

from motionrep.cli.inputs import require_folder, require_suffix
from motionrep.cli.options import Parser, add_device, rate
from motionrep.cli.sources import with_folders_of_videos

EXAMPLES = """\
  motionrep detect dance.mp4 --output dance.npz
  motionrep detect dance.mp4 --detector blazepose-full --output dance.json   # for tools that read AlphaPose
  motionrep detect monday.mp4 tuesday.mp4 --output keypoints                 # keypoints/monday.npz, ...
"""


def add_options(parser: Parser) -> None:
    parser.add_argument("videos", type=Path, nargs="+", metavar="VIDEO", help="Videos, images, or folders of them.")
    parser.add_argument(
        "--output", type=Path, required=True,
        help="The .npz to write, or a .json in AlphaPose's format with COCO's 17 joints; a folder for several videos.",
    )  # fmt: skip
    parser.add_argument(
        "--detector", default="blazepose",
        help="An installed one; blazepose-full is faster and less exact, vitpose and rtmpose need a download "
        "(default: %(default)s).",
    )  # fmt: skip
    parser.add_argument("--fps", type=rate, help="Frames per second of a folder of images (default: 30).")
    add_device(parser)


def run(videos: list[Path], output: Path, detector: str, fps: float | None, device: str) -> None:
    """Finds everybody's keypoints in videos."""
    videos = with_folders_of_videos([found for video in videos for found in _matching(video)])
    if len(videos) == 1:
        require_suffix(output, "keypoints", ".npz", ".json")
        outputs = [output]
    else:
        require_folder(output)
        outputs = [output / f"{video.stem}.npz" for video in videos]
        if len(set(outputs)) < len(outputs):
            raise ValueError("two videos have the same name, and so would their keypoints; detect them one by one")
    import motionrep
    from motionrep.keypoints.saving import as_coco_17
    from motionrep.pipeline.sources import origin_of

    failed = []
    for video, path in zip(videos, outputs, strict=True):
        try:
            people = motionrep.detect(video, detector, fps=fps, device=device, progress=True)
        except (ValueError, FileNotFoundError) as error:
            if len(videos) == 1:
                raise
            failed.append(str(error))
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        clips = [as_coco_17(one) for one in people] if path.suffix == ".json" else people
        motionrep.save_keypoints(clips, path, origin_of(video, detector, fps))
        end = max(one.first_frame + one.frame_count for one in people)
        print(f"{path}: {len(people)} person(s), {end} frames at {people[0].fps:g} fps")
    if failed:
        raise ValueError(f"{len(failed)} of {len(videos)} videos gave no keypoints: {'; '.join(failed)}")


def _matching(video: Path) -> list[Path]:
    """The files that a pattern names, as in "monday/*.mp4", in the order of their names; otherwise the file itself.

    Raises:
        ValueError: An address, or a pattern that names nothing.
        FileNotFoundError: No such file.
    """
    if re.match(r"[a-z0-9+]+:/", str(video)) and not video.exists():
        raise ValueError(f"{video}: is an address; download the video first, and give the file")
    if video.exists():
        return [video]
    if not glob.has_magic(str(video)):
        raise FileNotFoundError(f"{video}: no such video, image or folder")
    found = sorted(map(Path, glob.glob(str(video))))  # noqa: PTH207  a pattern may be absolute, which Path.glob refuses
    if not found:
        raise ValueError(f"{video}: no file has such a name")
    return found
