"""BlazePose, run on whole videos."""

from collections.abc import Iterable
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from jaxtyping import UInt8

from motionrep.detection.blazepose.clips import clips_of
from motionrep.detection.blazepose.following import Follower
from motionrep.detection.blazepose.landmarks import LandmarkFinder
from motionrep.detection.blazepose.network import load_network
from motionrep.detection.blazepose.people import PersonFinder
from motionrep.detection.blazepose.workers import read_ahead, workers_for
from motionrep.types import Keypoints

_WEIGHTS = Path(__file__).parents[1] / "weights"


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
        return clips_of([*follower.ended, *follower.tracks], fps, size_px)


def full(device: str | torch.device = "cpu") -> BlazePose:
    """The smaller landmark network: four times as fast, and less exact."""
    return BlazePose("full", device)


def heavy(device: str | torch.device = "cpu") -> BlazePose:
    """The larger landmark network."""
    return BlazePose("heavy", device)
