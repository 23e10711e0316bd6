"""One person in the pictures of a camera, one picture at a time: what a `Stream` is fed with."""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from motionrep.detection.blazepose.detector import BlazePose
from motionrep.detection.blazepose.live import LiveBlazePose
from motionrep.detection.detectors import LiveDetector, load_detector
from motionrep.keypoints.unseen import unseen_points

_NEAR = 1.0  # of the person's size: how far somebody can be from where the person was last
_GIVEN_UP = 30  # pictures without the person until the largest one is followed


class LivePerson:
    """Finds the keypoints of one person, the largest at first, in pictures that come one after the other.

        person = LivePerson("blazepose-full")
        for picture in pictures:
            seen = person.push(picture)
            result = stream.push(*seen) if seen else stream.push(None)

    Args:
        detector: As in `motionrep.detect`. "blazepose-full" is fast enough for a camera without a GPU.

    Attributes:
        layout: Of the joints.

    Raises:
        ValueError: As `load_detector`; or a detector that can only be given whole videos, since it has no `look`.
    """

    def __init__(self, detector: str = "blazepose-full", device: str | torch.device = "cpu") -> None:
        loaded = load_detector(detector, device)
        if isinstance(loaded, BlazePose):
            loaded = LiveBlazePose(loaded.people, loaded.landmarks, loaded.device)
        if not isinstance(loaded, LiveDetector):
            raise ValueError(f"detector {detector!r} takes whole videos only; it has no look() for single pictures")
        self._look = loaded.look
        self.layout = loaded.layout
        self._last: np.ndarray | None = None
        self._missed = 0

    def push(
        self, picture: UInt8[np.ndarray, "height width 3"]
    ) -> tuple[Float[Tensor, "joints 2"], Float[Tensor, " joints"]] | None:
        """The person's keypoints in the next picture, in pixels, and their confidences; None if nobody is seen."""
        people = self._look(picture)
        lost = unseen_points(people[..., :2], people[..., 2], (picture.shape[1], picture.shape[0]))
        people = np.where(lost[..., None], 0, people)
        chosen = self._chosen(people[(people[..., 2] > 0).any(1)])
        if chosen is None:
            self._missed += 1
            return None
        self._last, self._missed = chosen, 0
        return torch.from_numpy(chosen[:, :2]).float(), torch.from_numpy(chosen[:, 2]).float()

    def _chosen(self, people: np.ndarray) -> np.ndarray | None:
        if not len(people):
            return None
        if self._last is None or self._missed >= _GIVEN_UP:
            return max(people, key=_size_px)
        middle, size_px = _middle(self._last), _size_px(self._last)
        nearest = min(people, key=lambda one: float(np.linalg.norm(_middle(one) - middle)))
        return nearest if np.linalg.norm(_middle(nearest) - middle) < _NEAR * size_px else None


def _middle(xyc: np.ndarray) -> np.ndarray:
    return np.average(xyc[:, :2], axis=0, weights=xyc[:, 2])


def _size_px(xyc: np.ndarray) -> float:
    seen = xyc[xyc[:, 2] > 0, :2]
    return float(np.ptp(seen, axis=0).max())
