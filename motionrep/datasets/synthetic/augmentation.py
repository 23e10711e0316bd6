"""Data augmentation: the settings of what training clips change about the recorded motion.

Each change can be switched off by itself; `benchmarks/variety.yaml` lists the runs that measure what each brings.
`clip_changes` makes the changes. This module imports no torch, since settings are read before anything is computed.
"""

import math
from dataclasses import dataclass, fields, replace

_SHARES = (
    "other_legs", "own_betas", "other_bones", "camera_moves", "pans", "portrait", "cut_off", "hidden", "detectors",
    "masked_joints", "masked_frames", "usual_views",
)  # fmt: skip
_CAMERAS = (
    "pitch_deg", "roll_deg", "distance_m", "hfov_deg", "height_in_picture", "distortion", "portrait", "camera_moves",
    "pans", "cut_off", "hidden",
)  # fmt: skip


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
        own_betas: Share of the clips whose people have the betas of their motion file instead of random ones.
        other_bones: Share of the clips whose people have other bones than the open body (`bone_lengths`). Keypoints
            and true points are theirs; the true betas are those of the body nearest to them.
        camera_moves: Share of the clips whose camera orbits, tilts, comes closer, follows the person and shakes.
        pans: Share of the clips whose camera stands and turns after the person.
        distance_m: Range of the camera's distance. A camera that does not cut people off steps back where it must.
        hfov_deg: Range of the horizontal field of view.
        height_in_picture: Range of the share of the picture's height that 1.7 m fill where the person is. The distance
            then follows from it, within `distance_m`; null draws the distance itself.
        distortion: Largest strength of radial distortion: its first coefficient is drawn from minus this (a barrel) to
            a half of this (a cushion). Networks that read the keypoints know nothing of it.
        portrait: Share of the lying pictures that are turned upright; of five sizes, one is upright anyway.
        cut_off: Share of the clips in which the picture's edge cuts people off: close-ups, legs alone, people who
            enter and leave (`filming`).
        hidden: Share of the clips in which things or other people stand or pass in front of the person.
        detectors: Share of the clips whose keypoints err as those of detectors that were measured on rendered clips
            (`learned_noise`).
        masked_joints: Share of the keypoints that are hidden, at random.
        masked_frames: Share of the frames that are hidden, at random.
        usual_views: Share of the clips that are filmed as if the cameras' settings were the default: a whole person
            before a camera that stands, near eye level. Bodies, motion and detectors vary there as everywhere.
    """

    speed: tuple[float, float] = (0.8, 1.25)
    mirror: bool = True
    betas: float = 1.0
    pitch_deg: tuple[float, float] = (-5.0, 35.0)
    roll_deg: float = 3.0
    other_legs: float = 0.0
    limb_turn_deg: float = 0.0
    own_betas: float = 0.0
    other_bones: float = 0.0
    camera_moves: float = 0.0
    pans: float = 0.0
    distance_m: tuple[float, float] = (3.0, 7.0)
    hfov_deg: tuple[float, float] = (35.0, 65.0)
    height_in_picture: tuple[float, float] | None = None
    distortion: float = 0.0
    portrait: float = 0.0
    cut_off: float = 0.0
    hidden: float = 0.0
    detectors: float = 0.0
    masked_joints: float = 0.0
    masked_frames: float = 0.0
    usual_views: float = 0.0

    def with_usual_views(self) -> "Augmentation":
        """These settings with the cameras of the default ones."""
        return replace(self, **{one.name: one.default for one in fields(self) if one.name in _CAMERAS})

    def __post_init__(self) -> None:
        if not 0 < self.speed[0] <= self.speed[1] < math.inf:
            raise ValueError(f"variety.speed must be a range of positive factors, low to high, got {self.speed}")
        if not -80 <= self.pitch_deg[0] <= self.pitch_deg[1] <= 80:
            raise ValueError(f"variety.pitch_deg must be a range within -80 to 80, low to high, got {self.pitch_deg}")
        for name in ("betas", "roll_deg", "limb_turn_deg"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"variety.{name} is a standard deviation and not negative, got {getattr(self, name)}")
        for name, lowest, highest in (("distance_m", 0.5, 100), ("hfov_deg", 5, 120), ("height_in_picture", 0.02, 2)):
            low_high = getattr(self, name)
            if low_high is not None and not lowest <= low_high[0] <= low_high[1] <= highest:
                raise ValueError(
                    f"variety.{name} must be a range within {lowest} to {highest}, low to high, got {low_high}"
                )
        if not 0 <= self.distortion <= 0.3:
            raise ValueError(f"variety.distortion must be from 0 to 0.3, got {self.distortion}")
        for name in _SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"variety.{name} is a share from 0 to 1, got {getattr(self, name)}")
