"""Data augmentation: the settings of what training clips change about the recorded motion.

Each change can be switched off by itself; `benchmarks/variety.yaml` lists the runs that measure what each brings.
`clip_changes` makes the changes. This module imports no torch, since settings are read before anything is computed.
"""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Augmentation:
    """What training clips vary in: the setting `variety` of a training.

    Validation clips are always played as recorded, by random bodies.

    Attributes:
        speed: Range of the factor on the speed of a clip.
        mirror: Shows half of the clips mirrored.
        betas: Standard deviation of the body's betas; people are N(0, 1).
        pitch_deg: Range of the camera's pitch, positive looking down.
        roll_deg: Standard deviation of the camera's roll.
        other_legs: Share of the clips in which the legs and the path through the world are those of another clip.
        limb_turn_deg: Standard deviation of slow turns added to shoulders, elbows, hips and spine, in half of the clips
            for each limb; the spine's are a third of it.
        other_bones: Share of the clips whose people have other bones than the open body (`bone_lengths`). Keypoints
            and true points are theirs; the true betas are those of the body nearest to them.
        camera_moves: Share of the clips whose camera orbits, tilts, comes closer, follows the person and shakes.
        masked_joints: Share of the keypoints that are hidden, at random.
        masked_frames: Share of the frames that are hidden, at random.
    """

    speed: tuple[float, float] = (0.8, 1.25)
    mirror: bool = True
    betas: float = 1.0
    pitch_deg: tuple[float, float] = (-5.0, 35.0)
    roll_deg: float = 3.0
    other_legs: float = 0.0
    limb_turn_deg: float = 0.0
    other_bones: float = 0.0
    camera_moves: float = 0.0
    masked_joints: float = 0.0
    masked_frames: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.speed[0] <= self.speed[1] < math.inf:
            raise ValueError(f"variety.speed must be a range of positive factors, low to high, got {self.speed}")
        if not -80 <= self.pitch_deg[0] <= self.pitch_deg[1] <= 80:
            raise ValueError(f"variety.pitch_deg must be a range within -80 to 80, low to high, got {self.pitch_deg}")
        for name in ("betas", "roll_deg", "limb_turn_deg"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"variety.{name} is a standard deviation and not negative, got {getattr(self, name)}")
        for name in ("other_legs", "other_bones", "camera_moves", "masked_joints", "masked_frames"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"variety.{name} is a share from 0 to 1, got {getattr(self, name)}")
