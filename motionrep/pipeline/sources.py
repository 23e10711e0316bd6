"""Where clips come from: they are there already, in a keypoint file, or in a video, whose keypoints are found once."""

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from motionrep.detection import detect
from motionrep.detection.detectors import detector_entry_points
from motionrep.detection.names import DEFAULT_DETECTOR
from motionrep.files.arrays import npz_text
from motionrep.files.contents import look
from motionrep.files.kinds import kind_of
from motionrep.files.texts import parsed_json
from motionrep.files.writing import visible_files
from motionrep.keypoints import load_keypoints, save_keypoints
from motionrep.layouts import JointLayout
from motionrep.types import Keypoints

logger = logging.getLogger(__name__)

_PART_BYTES = 1 << 20


def clips_of(
    source: Keypoints | Sequence[Keypoints] | Path | str,
    layout: JointLayout | str | None = None,
    fps: float | None = None,
    size_px: tuple[int, int] | None = None,
    detector: str | None = None,
    device: str | torch.device = "cpu",
    all_persons: bool = False,
) -> list[Keypoints]:
    """The clips of a source: one clip, several, those of a keypoint file (`load_keypoints`), or of a video (`detect`).

    Raises:
        TypeError: Something else.
        ValueError: An option that is for other sources; or as `load_keypoints` and `detect`.
    """
    given = {
        "layout": layout, "fps": fps, "size_px": size_px, "detector": detector, "all_persons": all_persons or None,
    }  # fmt: skip
    if isinstance(source, Path | str):
        if not (Path(source).exists() and kind_of(source).holds in ("video", "picture")):
            _refuse(given, ("detector",), f"{source} has keypoints already; leave it out, it is for videos")
            return load_keypoints(source, layout, fps, size_px, all_persons=all_persons)
        of_files = ("layout", "size_px", "all_persons")
        _refuse(given, of_files, f"{source} is a video; leave it out, it is for keypoint files")
        return detect(source, detector or DEFAULT_DETECTOR, fps=fps, device=device)
    clips = [source] if isinstance(source, Keypoints) else list(source)
    if wrong := next((clip for clip in clips if not isinstance(clip, Keypoints)), None):
        raise TypeError(f"source: expected Keypoints, a keypoint file or a video, got {type(wrong).__name__}")
    _refuse(given, tuple(given), "clips say theirs already; leave it out, it is for files")
    return clips


def detected_once(
    video: Path,
    kept: Path,
    detector: str = DEFAULT_DETECTOR,
    *,
    fps: float | None = None,
    device: str | torch.device = "cpu",
    progress: bool = False,
) -> list[Keypoints]:
    """`motionrep.detect`, whose result is kept in a keypoint file and read from there the next time.

    It is read only if the video (size, time of change, a part of its content), the detector with its version and the
    frame rate that was asked for are the same. Otherwise the file is written anew, and a message says why.

    Args:
        kept: The keypoint file, an .npz.

    Raises:
        ValueError: `kept` is there and was not found in a video of that name; or as `detect`.
        OSError, ImportError: As `detect` and `save_keypoints`.
    """
    origin = origin_of(video, detector, fps)
    if kept.exists():
        before = _origin_in(kept)
        if before == origin:
            logger.info("%s: keypoints of %s from an earlier run; delete the file to detect anew", kept, video.name)
            return load_keypoints(kept)
        if before.get("video") != origin["video"]:
            raise ValueError(
                f"{kept}: is there already and was not found in {video}, whose keypoints would replace it; rename it, "
                "or choose another --output"
            )
        changed = next(name for name in origin if before.get(name) != origin[name])
        logger.info("%s: %s; detecting anew", kept, _CHANGED.get(changed, f"{video} is not as it was"))
    clips = detect(video, detector, fps=fps, device=device, progress=progress)
    save_keypoints(clips, kept, origin)
    return clips


def origin_of(video: Path, detector: str, fps: float | None = None) -> dict[str, Any]:
    """What keypoints depend on: the video or the pictures, the detector, and the rate that was asked for."""
    files = visible_files(video) if video.is_dir() else [video]
    stats = [file.stat() for file in files]
    digest = hashlib.sha256()
    for file, size in {file: stat.st_size for file, stat in zip(files, stats, strict=True)}.items():
        digest.update(f"{file.relative_to(video) if video.is_dir() else ''} {size}\n".encode())
    for file in dict.fromkeys((files[0], files[len(files) // 2], files[-1])) if files else ():
        _add_parts(digest, file)
    point = detector_entry_points().get(detector.partition(":")[0])
    distribution = None if point is None else point.dist
    return {
        "video": video.name,
        "bytes": sum(stat.st_size for stat in stats),
        "changed_ns": max((stat.st_mtime_ns for stat in stats), default=0),
        "sha256_of_parts": digest.hexdigest(),
        "detector": detector,
        "version": "" if distribution is None else f"{distribution.name} {distribution.version}",
        "fps": fps,
    }


_CHANGED = {"detector": "of another detector", "version": "of another version of the detector",
            "fps": "of another frame rate"}  # fmt: skip


def _add_parts(digest: Any, path: Path) -> None:
    """Beginning, middle and end of a file."""
    size = path.stat().st_size
    with path.open("rb") as file:
        for begin in sorted({0, max(size // 2 - _PART_BYTES // 2, 0), max(size - _PART_BYTES, 0)}):
            file.seek(begin)
            digest.update(file.read(_PART_BYTES))


def _origin_in(kept: Path) -> dict[str, Any]:
    """What `detected_once` wrote of the origin; nothing for other files."""
    try:
        text = npz_text(kept, "origin") if look(kept).container == "npz" else None
        origin = parsed_json(text or "{}", str(kept))
    except ValueError:
        return {}
    return origin if isinstance(origin, dict) else {}


def _refuse(given: dict[str, Any], names: tuple[str, ...], why: str) -> None:
    if wrong := next((name for name in names if given[name] is not None), None):
        raise ValueError(f"{wrong}: {why}")
