"""`motionrep detect`."""

import glob
import re
from pathlib import Path

from motionrep.cli.extras import require
from motionrep.cli.inputs import require_folder, require_suffix
from motionrep.cli.options import Parser, add_device, rate
from motionrep.cli.sources import with_folders_of_videos
from motionrep.detection.names import DEFAULT_DETECTOR

EXAMPLES = """\
  motionrep detect dance.mp4 --output dance.npz
  motionrep detect dance.mp4 --detector blazepose-full --output dance.json   # for tools that read AlphaPose
  motionrep detect monday.mp4 tuesday.mp4 --output keypoints                 # keypoints/monday.npz, ...
  motionrep detect --camera 0 --seconds 10 --output me.npz                   # also leaves the video, me.mp4
"""


def add_options(parser: Parser) -> None:
    parser.add_argument("videos", type=Path, nargs="*", metavar="VIDEO", help="Videos, images, or folders of them.")
    parser.add_argument("--camera", help="Records a camera, by its number or, on Windows, its name.")
    parser.add_argument("--url", help="Records the video at an address: a file, a stream or a network camera.")
    parser.add_argument(
        "--seconds", type=rate, help="How long --camera or --url is recorded (default: to its end, or until Ctrl-C)."
    )
    parser.add_argument(
        "--output", type=Path, required=True,
        help="The .npz to write, or a .json in AlphaPose's format with COCO's 17 joints; a folder for several videos. "
        "What was recorded is kept beside it as .mp4.",
    )  # fmt: skip
    parser.add_argument(
        "--detector", default=DEFAULT_DETECTOR,
        help="An installed one; blazepose-full is faster and less exact, vitpose and rtmpose need a download "
        "(default: %(default)s).",
    )  # fmt: skip
    parser.add_argument("--fps", type=rate, help="Frames per second of a folder of images (default: 30).")
    add_device(parser)


def run(
    videos: list[Path], camera: str | None, url: str | None, seconds: float | None, output: Path, detector: str,
    fps: float | None, device: str,
) -> None:  # fmt: skip
    """Finds everybody's keypoints in videos."""
    if (bool(videos), camera is not None, url is not None).count(True) != 1:
        raise ValueError("give videos, --camera or --url, and only one of them")
    if videos:
        if seconds is not None:
            raise ValueError("--seconds is for --camera and --url; remove it")
        videos = with_folders_of_videos([found for video in videos for found in _matching(video)])
    if len(videos) > 1:
        require_folder(output)
        outputs = [output / f"{video.stem}.npz" for video in videos]
        if len(set(outputs)) < len(outputs):
            raise ValueError("two videos have the same name, and so would their keypoints; detect them one by one")
    else:
        require_suffix(output, "keypoints", ".npz", ".json")
        outputs = [output]
    if not videos:
        videos = [_recorded(camera, url, output.with_suffix(".mp4"), seconds)]
    failed = []
    for video, path in zip(videos, outputs, strict=True):
        try:
            _detect(video, path, detector, fps, device)
        except (ValueError, FileNotFoundError) as error:
            if len(videos) == 1:
                raise
            failed.append(str(error))
    if failed:
        raise ValueError(f"{len(failed)} of {len(videos)} videos gave no keypoints: {'; '.join(failed)}")


def _detect(video: Path, path: Path, detector: str, fps: float | None, device: str) -> None:
    """Writes the keypoints of one video; an .npz that was written for it before is taken as it is."""
    import motionrep
    from motionrep.keypoints.saving import as_coco_17
    from motionrep.pipeline.sources import detected_once

    if path.suffix == ".npz":
        people = detected_once(video, path, detector, fps=fps, device=device, progress=True)
    else:
        people = motionrep.detect(video, detector, fps=fps, device=device, progress=True)
        motionrep.save_keypoints([as_coco_17(one) for one in people], path)
    end = max(one.first_frame + one.frame_count for one in people)
    print(f"{path}: {len(people)} person(s), {end} frames at {people[0].fps:g} fps")


def _recorded(camera: str | None, url: str | None, path: Path, seconds: float | None) -> Path:
    require("video", "recording a video", "av")
    from motionrep.detection.recording import record_address, record_camera

    if url is not None:
        return record_address(url, path, seconds, progress=True)
    return record_camera(camera or "", path, seconds, progress=True)


def _matching(video: Path) -> list[Path]:
    """The files that a pattern names, as in "monday/*.mp4", in the order of their names; otherwise the file itself.

    Raises:
        ValueError: An address, or a pattern that names nothing.
        FileNotFoundError: No such file.
    """
    if re.match(r"[a-z0-9+]+:/", str(video)) and not video.exists():
        raise ValueError(f"{video}: is an address; give it as --url")
    if video.exists():
        return [video]
    if not glob.has_magic(str(video)):
        raise FileNotFoundError(f"{video}: no such video, image or folder")
    found = sorted(map(Path, glob.glob(str(video))))  # noqa: PTH207  a pattern may be absolute, which Path.glob refuses
    if not found:
        raise ValueError(f"{video}: no file has such a name")
    return found
