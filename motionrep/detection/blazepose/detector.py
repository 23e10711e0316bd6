"""BlazePose, run on whole videos."""

from collections.abc import Iterable
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8

from motionrep.detection.blazepose.following import Follower, Track
from motionrep.detection.blazepose.landmarks import LandmarkFinder
from motionrep.detection.blazepose.network import load_network
from motionrep.detection.blazepose.people import PersonFinder
from motionrep.detection.blazepose.workers import read_ahead, workers_for
from motionrep.keypoints.sides import exchanged_sides
from motionrep.keypoints.tracking import follow_people
from motionrep.keypoints.unseen import unseen_points
from motionrep.layouts import MEDIAPIPE_33
from motionrep.types import Keypoints

_WEIGHTS = Path(__file__).parents[1] / "weights"
_SHORTEST_S = 0.1


class BlazePose:
    """MediaPipe's BlazePose: a person detector, and landmarks in the region of each person.

    A joint's confidence is the network's visibility times its presence. Keypoints are not smoothed;
    left and right are exchanged back where the network exchanged them, and points outside of the picture are unseen.

    Args:
        landmarks: Size of the landmark network.
        together: Frames that are looked at together; the person detector looks at one of them.
    """

    def __init__(
        self, landmarks: Literal["full", "heavy"] = "heavy", device: str | torch.device = "cpu", together: int = 8
    ) -> None:
        self.device, self.together = torch.device(device), together
        self.people = load_network(_WEIGHTS / "blazepose-people").to(self.device)
        self.landmarks = load_network(_WEIGHTS / f"blazepose-{landmarks}").to(self.device)

    def detect(self, pictures: Iterable[UInt8[np.ndarray, "height width 3"]], fps: float) -> list[Keypoints]:
        """One clip for each person, in order of appearance; none if nobody is seen."""
        size_px = 0, 0
        with workers_for(self.device) as workers, closing(read_ahead(pictures, self.together)) as waiting:
            follower = Follower(PersonFinder(self.people, workers), LandmarkFinder(self.landmarks, workers))
            while some := list(islice(waiting, self.together)):
                size_px = some[0].shape[1], some[0].shape[0]
                follower.follow([torch.from_numpy(picture).to(self.device) for picture in some])
        return _clips([*follower.ended, *follower.tracks], fps, size_px)


def full(device: str | torch.device = "cpu") -> BlazePose:
    """The smaller landmark network: four times as fast, and less exact."""
    return BlazePose("full", device)


def heavy(device: str | torch.device = "cpu") -> BlazePose:
    """The larger landmark network."""
    return BlazePose("heavy", device)


def _clips(tracks: list[Track], fps: float, size_px: tuple[int, int]) -> list[Keypoints]:
    """Joins the parts of persons who were lost in between, and leaves out who was seen for a moment only."""
    tracks = [track for track in tracks if track.frames]
    if not tracks:
        return []
    xyc = np.concatenate([_put_right(_joined(track.xyc), np.array(track.frames), fps) for track in tracks])
    frame = np.concatenate([track.frames for track in tracks])
    score = _joined([part for track in tracks for part in track.score])
    order = np.argsort(frame, kind="stable")
    xyc, frame, score = xyc[order], frame[order], score[order]
    names = np.array(follow_people(xyc, frame, score, fps, MEDIAPIPE_33.flip_indices))
    shortest = min(_SHORTEST_S * fps, 1 + float(frame.max() - frame.min()))
    clips: list[Keypoints] = []
    for name in dict.fromkeys(names.tolist()):
        rows = (names == name).nonzero()[0]
        rows = rows[np.argsort(score[rows], kind="stable")]  # of two in one frame, the surer one is written last
        first, seen = int(frame[rows].min()), np.unique(frame[rows])
        if len(seen) < shortest:
            continue
        clip = np.zeros((int(np.ptp(seen)) + 1, MEDIAPIPE_33.joint_count, 3))
        clip[frame[rows] - first] = xyc[rows]
        clip[seen - first] = _put_right(clip[seen - first], seen, fps)
        clip[unseen_points(clip[..., :2], clip[..., 2], size_px)] = 0
        tensors = torch.from_numpy(clip[..., :2]), torch.from_numpy(clip[..., 2])
        clips.append(Keypoints(*tensors, MEDIAPIPE_33, fps, *size_px, str(len(clips)), first))
    return clips


def _put_right(
    xyc: Float[np.ndarray, "frames joints 3"], frame: Int[np.ndarray, " frames"], fps: float
) -> Float[np.ndarray, "frames joints 3"]:
    flip = MEDIAPIPE_33.flip_indices
    exchanged = exchanged_sides(xyc, frame / fps, flip)
    return np.where(exchanged[:, None, None], xyc[:, list(flip)], xyc)


def _joined(parts: list[torch.Tensor]) -> Float[np.ndarray, "..."]:
    return torch.cat(parts).double().numpy()
