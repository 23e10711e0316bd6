"""A recorded clip with what is known to be true about it: what every reader of a benchmark's files yields."""

from dataclasses import dataclass

from jaxtyping import Bool
from torch import Tensor

from motionrep.geometry.cameras import PinholeCamera
from motionrep.types import BodyMotion, JointMotion, Keypoints


@dataclass(frozen=True)
class LabelledClip:
    """Keypoints of one person, or of several who act together, with the truth.

    `target` is where the joints or the body of `keypoints`' person truly were, frame by frame; None for action labels
    only. `counted` is False for frames that the protocol leaves out of its scores; None counts all. `others` are the
    further persons of an action, as long as the first. `action` is the class, `subject` who was recorded, `split` the
    part of the data set; "" where the file does not say.
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
