"""Keypoint files of the common 2D detectors in, one clip per person out; and back."""

import logging
import zipfile
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from motionrep.files.writing import BROKEN_NPZ
from motionrep.keypoints.formats import read_detections
from motionrep.keypoints.records import Detections
from motionrep.keypoints.tracking import follow_people
from motionrep.layouts import COCO_17, JointLayout, find_layout
from motionrep.types import DEFAULT_FPS, Keypoints

logger = logging.getLogger(__name__)

_LARGEST_FACE = 0.3  # of whole people at most 0.2; joints in Human3.6M order look like 0.33 to 0.55


def load_keypoints(
    path: Path | str,
    layout: JointLayout | str | None = None,
    fps: float | None = None,
    size_px: tuple[int, int] | None = None,
) -> list[Keypoints]:
    """Every person in a keypoint file, in order of first appearance; the format is recognised by content.

    Known are AlphaPose, COCO results and annotations, MMPose, MediaPipe and Ultralytics YOLO (`Results.to_json`) as
    JSON, a folder of OpenPose files (one per frame), and the .npz of `save_keypoints`.

    A clip spans the frames from its person's first detection to the last; `Keypoints.first_frame` is the number of the
    first in the file, frames in between without a detection have confidence 0. Frame numbers come from the file; image
    names count by the last of their integers in which all of them differ, or by their order when there is none. A joint
    is not seen where its confidence is 0, negative or NaN, or a coordinate is NaN. Of two detections of a person in one
    frame the one with the higher score counts; where some detections have a person id, those without are left out.
    Warnings say what was left out.

    Without ids in the file, people are followed from frame to frame. A detection goes to the person who is nearest:
    to where that person was last seen, or would be having moved on. Distances are means over the joints, which count
    by the square of their confidence, in sizes of the person. Someone is new who is farther from everybody than 0.3
    sizes (at 30 frames per second; 3 more for each second that the other was not seen, 1 at most), or when nobody was
    there for a second. Who would be new, yet is within 0.1 of another detection of the frame, is that person found
    twice.

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
    return _clips(detections, fps or DEFAULT_FPS, size_px, path)


def _check_size(detections: Detections, size_px: tuple[int, int], path: Path) -> None:
    xy_px = detections.xyc[detections.xyc[..., 2] > 0, :2]
    if np.abs(xy_px).max() <= 1:
        raise ValueError(
            f"{path}: all coordinates lie within [-1, 1], pixels are needed; do not let the tool scale them"
        )
    swapped_px = size_px[1], size_px[0]
    far = _share_outside(xy_px, size_px, margin=0.05)
    would_fit = size_px != swapped_px and _share_outside(xy_px, swapped_px, margin=0.05) < far / 20
    hint = f"; {swapped_px[0]} x {swapped_px[1]} would hold them: were height and width swapped?" if would_fit else ""
    outside = _share_outside(xy_px, size_px)
    if outside > 0.5:
        raise ValueError(
            f"{path}: {outside:.0%} of the keypoints lie outside an image of {size_px[0]} x {size_px[1]} px; "
            f"size_px is (width, height) of the image that the detector saw{hint}"
        )
    if far >= 0.01:
        logger.warning(
            "%s: %.0f%% of the keypoints lie far outside an image of %d x %d px%s", path, 100 * far, *size_px, hint
        )


def _share_outside(xy_px: Float[np.ndarray, "points 2"], size_px: tuple[int, int], margin: float = 0) -> float:
    """Which share of the points lies outside the image by more than a margin, in image sizes."""
    allowed_px = margin * np.array(size_px)
    return float(((xy_px < -allowed_px) | (xy_px > size_px + allowed_px)).any(1).mean())


def _face_size(detections: Detections) -> float:
    """Longer side of the box of COCO's five points of the face over that of all points; the median over detections."""
    xy_px = np.where(detections.xyc[..., 2:] > 0, detections.xyc[..., :2], np.nan)
    whole = np.isfinite(xy_px).all((1, 2))
    if not whole.any():
        return 0.0
    face, body = (np.ptp(points, axis=1).max(1) for points in (xy_px[whole, :5], xy_px[whole]))
    return float(np.median(face / np.maximum(body, 1)))


def _clips(detections: Detections, fps: float, size_px: tuple[int, int], path: Path) -> list[Keypoints]:
    ids = detections.person or follow_people(detections.xyc, detections.frame, detections.score, fps)
    code_of = {person: code for code, person in enumerate(dict.fromkeys(ids))}
    code = np.array([code_of[person] for person in ids])
    order = np.lexsort((detections.score, code))  # a later detection overwrites an earlier one of the same frame
    bounds = np.searchsorted(code[order], range(len(code_of) + 1))
    clips = []
    for person, (start, stop) in zip(code_of, pairwise(bounds), strict=True):
        rows = order[start:stop]
        first, last = detections.frame[rows].min(), detections.frame[rows].max()
        xyc = np.zeros((last - first + 1, detections.layout.joint_count, 3), dtype=np.float32)
        xyc[detections.frame[rows] - first] = detections.xyc[rows]
        tensors = torch.from_numpy(xyc[..., :2].copy()), torch.from_numpy(xyc[..., 2].copy())
        clips.append(Keypoints(*tensors, detections.layout, fps, *size_px, person, int(first)))
    seen = np.isfinite(detections.score)
    if doubled := seen.sum() - len(set(zip(code[seen].tolist(), detections.frame[seen].tolist(), strict=True))):
        logger.warning("%s: left out %d detections of persons of whom their frame has a better one", path, doubled)
    return clips


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
