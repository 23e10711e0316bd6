"""A recorded clip with its ground truth, as every reader of a benchmark's files returns it."""

from collections.abc import Callable
from dataclasses import dataclass

from jaxtyping import Bool
from torch import Tensor

from motionrep.geometry.cameras import PinholeCamera
from motionrep.types import BodyMotion, JointMotion, Keypoints


@dataclass(frozen=True)
class LabelledClip:
    """Keypoints of one person, or of several who act together, with the ground truth.

    Attributes:
        target: True joints or body of the person of `keypoints`, frame by frame; None for action labels only.
        counted: False for frames that the protocol does not score; None scores all.
        action: Class; "" where the file does not say.
        subject: Who was recorded; "" likewise.
        split: Part of the data set; "" likewise.
        others: Further persons of an action, with as many frames.
    """

    name: str
    keypoints: Keypoints
    target: JointMotion | BodyMotion | None = None
    counted: Bool[Tensor, " frames"] | None = None
    camera: PinholeCamera | None = None
    action: str = ""
    subject: str = ""
    split: str = ""
    others: tuple[Keypoints, ...] = ()

    def __post_init__(self) -> None:
        frames = self.keypoints.frame_count
        lengths = {"target": None if self.target is None else self.target.frame_count}
        lengths["counted"] = None if self.counted is None else len(self.counted)
        lengths |= {f"others[{i}]": other.frame_count for i, other in enumerate(self.others)}
        for field, length in lengths.items():
            if length not in (None, frames):
                raise ValueError(f"clip {self.name!r}: {field} has {length} frames, keypoints have {frames}")

    @property
    def persons(self) -> tuple[Keypoints, ...]:
        """All persons, `keypoints` first."""
        return self.keypoints, *self.others

    @property
    def joint_target(self) -> JointMotion:
        """`target` as joints. Raises ValueError where it is something else."""
        if not isinstance(self.target, JointMotion):
            raise ValueError(f"clip {self.name!r}: no true joint positions are known; read a file that has them")
        return self.target


@dataclass(frozen=True)
class ListedClip:
    """A clip that is made from its file when it is needed.

    Attributes:
        frames: How many it has, at `fps`; None for clips of which only the action is known.
        read: Makes the clip. Raises ValueError where its values are broken.
    """

    name: str
    read: Callable[[], LabelledClip]
    frames: int | None = None
    fps: float = 30.0
    action: str = ""
    subject: str = ""
    split: str = ""
