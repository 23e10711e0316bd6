"""Keypoint files of the common 2D detectors in, one clip per person out; and back."""

import json
import logging
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from motionrep.files import BROKEN_NPZ, written_beside
from motionrep.keypoint_formats import Detections, read_detections
from motionrep.layouts import COCO_17, HALPE_26, JointLayout, find_layout
from motionrep.types import Keypoints

logger = logging.getLogger(__name__)

DEFAULT_FPS = 30.0
_LARGEST_FACE = 0.3  # of whole people at most 0.2; joints in Human3.6M order look like 0.33 to 0.55
_MAX_STEP = 0.3
_MAX_GAP_FRAMES = 30


def load_keypoints(
    path: Path | str,
    layout: JointLayout | str | None = None,
    fps: float | None = None,
    size_px: tuple[int, int] | None = None,
) -> list[Keypoints]:
    """Every person in a keypoint file, in order of first appearance; the format is recognised by content.

    Known are AlphaPose and COCO results, MMPose and MediaPipe JSON, a folder of OpenPose files (one per frame), and the
    .npz of `save_keypoints`. All clips span the file's frames from the first to the last, also where a person was not
    seen (confidence 0); `Keypoints.first_frame` is the number of the first in the file. Frame numbers come from the
    file; image names count by their last integer, or by their order when they have none or share it. Of two detections
    of a person in one frame the one with the higher score counts.

    Without ids in the file, people are followed from frame to frame: each detection goes to the person whose last
    keypoints, moved on at their last velocity, are nearest in the mean. Someone is new when that is more than 0.3
    times the size of the person, or nobody was there for 30 frames.

    Args:
        layout: Joint order; None takes what the format has for the number of joints (17 is COCO's).
        fps: Frame rate; None takes the file's, or 30 where the file has none, as is the case for all but .npz.
        size_px: Width and height of the image; may be left out for .npz only, which says all three itself. Where it
            says something else than what is given here, a warning says so.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The format is not known, something in the file cannot be right, it has no detections, or
            the layout or image size is not known.
    """
    path = Path(path)
    layout = find_layout(layout) if isinstance(layout, str) else layout
    if fps is not None and not 0 < fps < float("inf"):
        raise ValueError(f"fps must be a positive number of frames per second, got {fps}")
    if size_px is not None and (len(size_px) != 2 or min(size_px) <= 0):
        raise ValueError(f"size_px must be a positive width and height in pixels, got {size_px}")
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such keypoint file or folder")
    if path.is_file() and zipfile.is_zipfile(path):
        return _load_npz(path, layout, fps, size_px)
    if size_px is None:
        raise ValueError(
            f"{path}: the file does not say how large the image is; pass size_px=(width, height) in pixels "
            "(on the command line --size 1920x1080, or --size video.mp4)"
        )
    if fps is None:
        logger.warning("%s does not say its frame rate; taking %g frames per second", path, DEFAULT_FPS)
    detections = read_detections(path, layout, size_px)
    _check_size(detections, size_px, path)
    if layout is None and detections.layout == COCO_17 and _face_size(detections) > _LARGEST_FACE:
        logger.warning(
            "%s: its 17 joints were taken for COCO's, yet what would be eyes, ears and nose lie far apart; if their "
            "order is another, such as h36m_17, pass it as layout", path,
        )  # fmt: skip
    return _clips(detections, fps or DEFAULT_FPS, size_px)


def save_keypoints(clips: Sequence[Keypoints], path: Path | str) -> None:
    """Writes clips as .npz, which `load_keypoints` gives back exactly, or as .json in AlphaPose's format.

    AlphaPose's format is for other tools: it has no frame rate or image size, leaves out unseen frames but for the
    first and the last, knows the layouts coco_17 and halpe_26, and names persons by integers (their place in `clips`,
    unless all names are different integers).

    Raises:
        ValueError: No clips, another suffix, or a layout that AlphaPose's format does not have.
        OSError: The file cannot be written.
    """
    path = Path(path)
    if not clips:
        raise ValueError(f"{path}: no clips to save")
    if path.suffix == ".npz":
        arrays = {f"{i}.{name}": value for i, clip in enumerate(clips) for name, value in _npz_fields(clip).items()}
        with written_beside(path) as beside:
            np.savez(beside, **arrays)
    elif path.suffix == ".json":
        entries = _alphapose_entries(clips, path)
        with written_beside(path) as beside:
            beside.write_text(json.dumps(entries, allow_nan=False), encoding="utf-8")
    else:
        raise ValueError(f"{path}: keypoints are saved as .npz or .json, got {path.suffix or 'no suffix'!r}")


def _check_size(detections: Detections, size_px: tuple[int, int], path: Path) -> None:
    xy_px = detections.xyc[detections.xyc[..., 2] > 0, :2]
    if np.abs(xy_px).max() <= 1:
        raise ValueError(
            f"{path}: all coordinates lie within [-1, 1], pixels are needed; do not let the tool scale them"
        )
    outside = float(((xy_px < 0) | (xy_px > size_px)).any(1).mean())
    if outside > 0.5:
        raise ValueError(
            f"{path}: {outside:.0%} of the keypoints lie outside an image of {size_px[0]} x {size_px[1]} px; "
            "size_px is (width, height) of the image that the detector saw"
        )


def _face_size(detections: Detections) -> float:
    """Longer side of the box of COCO's five points of the face over that of all points; the median over detections."""
    xy_px = np.where(detections.xyc[..., 2:] > 0, detections.xyc[..., :2], np.nan)
    whole = np.isfinite(xy_px).all((1, 2))
    if not whole.any():
        return 0.0
    face, body = (np.ptp(points, axis=1).max(1) for points in (xy_px[whole, :5], xy_px[whole]))
    return float(np.median(face / np.maximum(body, 1)))


def _clips(detections: Detections, fps: float, size_px: tuple[int, int]) -> list[Keypoints]:
    ids = detections.person or _track(detections)
    code_of = {person: code for code, person in enumerate(dict.fromkeys(ids))}
    code = np.array([code_of[person] for person in ids])
    order = np.lexsort((detections.score, code))  # a later detection overwrites an earlier one of the same frame
    bounds = np.searchsorted(code[order], range(len(code_of) + 1))
    clips = []
    for person, (start, stop) in zip(code_of, pairwise(bounds), strict=True):
        rows = order[start:stop]
        frame, xyc = detections.frame[rows], detections.xyc[rows]
        xy_px = np.zeros((detections.frame_count, detections.layout.joint_count, 2), dtype=np.float32)
        confidence = np.zeros(xy_px.shape[:2], dtype=np.float32)
        xy_px[frame], confidence[frame] = xyc[..., :2], xyc[..., 2]
        tensors = torch.from_numpy(xy_px), torch.from_numpy(confidence)
        clips.append(Keypoints(*tensors, detections.layout, fps, *size_px, person, detections.first_frame))
    return clips


@dataclass
class _Track:
    """A person as last seen."""

    name: str
    frame: int
    xyc: Float[np.ndarray, "joints 3"]
    step_px: Float[np.ndarray, "2"]

    def distance(self, xyc: Float[np.ndarray, "joints 3"], frame: int) -> float:
        """Mean distance in person sizes (longer side of the box) from where the person should be now."""
        both = (self.xyc[:, 2] > 0) & (xyc[:, 2] > 0)
        if not both.any():
            return float("inf")
        expected = self.xyc[both, :2] + self.step_px * (frame - self.frame)
        return float(np.linalg.norm(xyc[both, :2] - expected, axis=-1).mean()) / max(_size_px(self.xyc), _size_px(xyc))

    def move_to(self, xyc: Float[np.ndarray, "joints 3"], frame: int) -> None:
        both = (self.xyc[:, 2] > 0) & (xyc[:, 2] > 0)
        step_px = (xyc[both, :2] - self.xyc[both, :2]).mean(0) / (frame - self.frame)
        self.frame, self.xyc, self.step_px = frame, xyc, (self.step_px + step_px) / 2


def _size_px(xyc: Float[np.ndarray, "joints 3"]) -> float:
    seen = xyc[xyc[:, 2] > 0, :2]
    return max(float(np.ptp(seen, axis=0).max()), 1.0) if len(seen) else 1.0


def _track(detections: Detections) -> list[str]:
    """A name for each detection; the rule is in `load_keypoints`."""
    tracks: list[_Track] = []
    names = []
    edges = np.flatnonzero(np.diff(detections.frame, prepend=-1, append=-1))
    created = 0
    for start, stop in pairwise(edges):
        frame, people = int(detections.frame[start]), detections.xyc[start:stop]
        tracks = [track for track in tracks if frame - track.frame <= _MAX_GAP_FRAMES]
        pairs = sorted(
            (track.distance(xyc, frame), i, k) for i, xyc in enumerate(people) for k, track in enumerate(tracks)
        )
        matched: dict[int, int] = {}
        for distance, i, k in pairs:
            if distance <= _MAX_STEP and i not in matched and k not in matched.values():
                matched[i] = k
                tracks[k].move_to(people[i], frame)
        for i, xyc in enumerate(people):
            if i not in matched:
                matched[i] = len(tracks)
                tracks.append(_Track(str(created), frame, xyc, np.zeros(2)))
                created += 1
            names.append(tracks[matched[i]].name)
    return names


def _npz_fields(clip: Keypoints) -> dict[str, Any]:
    return {
        "xy_px": clip.xy_px.cpu().numpy(),
        "confidence": clip.confidence.cpu().numpy(),
        "layout": clip.layout.name,
        "joints": np.array(clip.layout.joints),
        "parents": np.array(clip.layout.parents),
        "fps": clip.fps,
        "size_px": (clip.width_px, clip.height_px),
        "person": clip.person,
        "first_frame": clip.first_frame,
    }


def _load_npz(
    path: Path, layout: JointLayout | None, fps: float | None, size_px: tuple[int, int] | None
) -> list[Keypoints]:
    clips = []
    try:
        with np.load(path, allow_pickle=False) as file:
            for i in range(sum(name.endswith(".xy_px") for name in file.files)):
                joints, parents = (tuple(map(str, file[f"{i}.{name}"])) for name in ("joints", "parents"))
                width_px, height_px = map(int, file[f"{i}.size_px"])
                said_layout, said_fps = JointLayout(str(file[f"{i}.layout"]), joints, parents), float(file[f"{i}.fps"])
                for given, said in ((layout, said_layout), (fps, said_fps), (size_px, (width_px, height_px))):
                    if i == 0 and given is not None and given != said:
                        names = (getattr(value, "name", value) for value in (said, given))
                        logger.warning("%s says %s, taken is %s as given", path, *names)
                width_px, height_px = size_px or (width_px, height_px)
                clips.append(
                    Keypoints(
                        torch.from_numpy(file[f"{i}.xy_px"].astype(np.float32)),
                        torch.from_numpy(file[f"{i}.confidence"].astype(np.float32)),
                        layout or said_layout,
                        fps or said_fps,
                        width_px,
                        height_px,
                        str(file[f"{i}.person"]),
                        int(file[f"{i}.first_frame"]),
                    )
                )
            if not clips:
                raise ValueError(f"no clips in it; found: {', '.join(file.files)}")
    except (KeyError, *BROKEN_NPZ) as error:
        wrong = error.args[0] if error.args else "it is cut off"
        raise ValueError(f"{path}: not as save_keypoints writes it: {wrong}") from error
    return clips


def _alphapose_entries(clips: Sequence[Keypoints], path: Path) -> list[dict[str, Any]]:
    numbered = all(clip.person.isdecimal() for clip in clips) and len({int(c.person) for c in clips}) == len(clips)
    entries = []
    for i, clip in enumerate(clips):
        if clip.layout not in (COCO_17, HALPE_26):
            raise ValueError(f"{path}: AlphaPose's format has no layout {clip.layout.name!r}; save as .npz")
        xyc = torch.cat([clip.xy_px, clip.confidence.unsqueeze(-1)], dim=-1).double().cpu().numpy()
        # An entry without confidence for the first and the last frame keeps the clip as long as it is.
        written = {0, len(xyc) - 1, *np.flatnonzero((xyc[..., 2] > 0).any(1)).tolist()}
        for frame in sorted(written):
            seen = xyc[frame, xyc[frame, :, 2] > 0] if xyc[frame, :, 2].any() else np.zeros((1, 3))
            corner = seen[:, :2].min(0)
            entries.append(
                {
                    "image_id": f"{clip.first_frame + frame:06d}.jpg",
                    "category_id": 1,
                    "keypoints": xyc[frame].ravel().tolist(),
                    "score": float(seen[:, 2].mean()),
                    "box": [*corner.tolist(), *(seen[:, :2].max(0) - corner).tolist()],
                    "idx": int(clip.person) if numbered else i,
                }
            )
    return sorted(entries, key=lambda entry: entry["image_id"])
