"""`motionrep detect`."""

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
    parser.add_argument("videos", type=Path, nargs="+", metavar="VIDEO", help="Videos, images, or folders of images.")
    parser.add_argument(
        "--output", type=Path, required=True,
        help="The .npz to write, or a .json in AlphaPose's format with COCO's 17 joints; a folder for several videos.",
    )  # fmt: skip
    parser.add_argument(
        "--detector", default="blazepose",
        help="An installed one; blazepose-full is faster and less exact (default: %(default)s).",
    )  # fmt: skip
    parser.add_argument("--fps", type=rate, help="Frames per second of a folder of images (default: 30).")
    add_device(parser)


def run(videos: list[Path], output: Path, detector: str, fps: float | None, device: str) -> None:
    """Finds everybody's keypoints in videos."""
    videos = with_folders_of_videos(videos)
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
    from motionrep.keypoints.saving import as_coco_17
    from motionrep.pipeline.sources import origin_of

    for video, path in zip(videos, outputs, strict=True):
        people = motionrep.detect(video, detector, fps=fps, device=device, progress=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        clips = [as_coco_17(one) for one in people] if path.suffix == ".json" else people
        motionrep.save_keypoints(clips, path, origin_of(video, detector, fps))
        end = max(one.first_frame + one.frame_count for one in people)
        print(f"{path}: {len(people)} person(s), {end} frames at {people[0].fps:g} fps")
