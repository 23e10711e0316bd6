"""BlazePose on the pictures of a camera: one person, whose region comes from the picture before."""

import numpy as np
import torch
from jaxtyping import Float, UInt8

from motionrep.detection.blazepose.landmarks import LandmarkFinder
from motionrep.detection.blazepose.network import Network
from motionrep.detection.blazepose.people import PersonFinder
from motionrep.detection.blazepose.tiles import coarse_places
from motionrep.detection.blazepose.workers import Workers
from motionrep.layouts import MEDIAPIPE_33

_SURE = 0.5


class LiveBlazePose:
    """Follows the person who is largest at first. The person detector runs only until somebody is found."""

    layout = MEDIAPIPE_33

    def __init__(self, people: Network, landmarks: Network, device: torch.device) -> None:
        self.people, self.landmarks = PersonFinder(people, Workers()), LandmarkFinder(landmarks, Workers())
        self.device = device
        self.region: torch.Tensor | None = None

    def look(self, picture: UInt8[np.ndarray, "height width 3"]) -> Float[np.ndarray, "people joints 3"]:
        """The person in the next picture, if any: x, y and confidence of each joint."""
        pixels = torch.from_numpy(picture).to(self.device)
        if self.region is None:
            (found,) = self.people.find([pixels], [coarse_places(*picture.shape[:2])])
            if not len(found.region):
                return np.zeros((0, self.layout.joint_count, 3))
            self.region = found.region[found.region[:, 2].argmax()]
        marks = self.landmarks.find([pixels], [self.region[None]])
        sure = float(marks.score[0]) >= _SURE
        self.region = marks.region[0] if sure else None
        xyc = torch.cat([marks.xy_px, marks.confidence[..., None]], -1)
        return xyc[: int(sure)].double().numpy()
