"""Turns the wrists and ankles of a predicted body so that hands and feet point where the keypoints say.

Heads see 17 joints, which end at wrists and ankles. Detectors such as those of Halpe, COCO-WholeBody and MediaPipe also
report toes, heels and fingers. What is compared is where these lie from their wrist or ankle in the picture, so that a
limb that is a little off does not turn its end.
"""

from dataclasses import dataclass, replace

import roma
import torch
from jaxtyping import Float
from torch import Tensor

from motionrep.body import BodyModel, load_body_model
from motionrep.body.points import JOINTS_AND_LANDMARKS
from motionrep.fitting.minimising import geman_mcclure, minimise, second_difference, solve_in_windows
from motionrep.geometry.cameras import PinholeCamera, project
from motionrep.layouts import SMPL_24
from motionrep.types import BodyMotion, Keypoints

_ENDS = {"ankle": ("big_toe", "small_toe", "heel"), "wrist": ("thumb_tip", "index", "pinky", "hand_tip")}
_SIDES = ("left", "right")
_FEWEST = 2  # points of an end: one would leave its turn about itself open
_EVALUATIONS = 25
_SCALE_RAD = 0.05  # of the free numbers, so that the cost is about as curved as their squares
# Standard deviations: of a keypoint, of a change of a rotation, and of its second difference in 1/30 s.
_KEYPOINT_M, _OUTLIER_M, _TURN_RAD, _ROUGHNESS_RAD = 0.02, 0.06, 0.5, 0.06


@dataclass(frozen=True)
class _End:
    """A wrist or ankle: its joint, its own keypoint, and the keypoints of its hand or foot."""

    joint: int
    anchor: int
    points: tuple[int, ...]


@torch.no_grad()
def with_hands_and_feet(motion: BodyMotion, keypoints: Keypoints, camera: PinholeCamera | None = None) -> BodyMotion:
    """The motion with wrists and ankles turned; as it is where the keypoints have no hands and feet.

    Args:
        motion: In `camera` axes, as the mesh head predicts it, of the same frames as the keypoints.
        camera: The one that the motion was predicted for; None is the mesh head's, with a field of view of 50 degrees.
    """
    body = load_body_model(motion.body_model, len(motion.betas)).to(motion.local_rotmat.device)
    keypoints = keypoints.to(motion.translation_m.device)
    ends = _ends(keypoints, body)
    if not ends:
        return motion
    camera = camera or PinholeCamera.from_hfov(keypoints.width_px, keypoints.height_px)
    start = motion.translation_m.new_zeros(motion.frame_count, len(ends), 3)
    (turns,) = solve_in_windows((start,), lambda window: (_solve(motion, keypoints, camera, body, ends, window),))
    return replace(motion, local_rotmat=_turned(motion.local_rotmat, turns, ends))


def _ends(keypoints: Keypoints, body: BodyModel) -> list[_End]:
    """Those of which enough points were ever seen; hands of bodies with fingers follow their wrists."""
    regressor, found = body.point_regressor(keypoints.layout), []
    seen = (keypoints.confidence > 0).any(0)
    sources = JOINTS_AND_LANDMARKS.joints
    for joint, names in _ENDS.items():
        for side in _SIDES:
            anchor = f"{side}_{joint}"
            columns = [sources.index(f"{side}_{name}") for name in names]
            points = (regressor[:, columns].abs().amax(1) > 0.5) & seen
            rows = [row for row in points.nonzero()[:, 0].tolist() if keypoints.layout.joints[row] != anchor]
            if len(rows) >= _FEWEST and anchor in keypoints.layout.joints:
                found.append(_End(SMPL_24.index(anchor), keypoints.layout.index(anchor), tuple(rows)))
    return found


def _turned(rotmat: Tensor, turns: Tensor, ends: list[_End]) -> Tensor:
    joints = torch.tensor([end.joint for end in ends], device=rotmat.device)
    changed = rotmat[:, joints] @ roma.rotvec_to_rotmat(turns)
    return rotmat.index_copy(1, joints, changed)


def _solve(
    motion: BodyMotion, keypoints: Keypoints, camera: PinholeCamera, body: BodyModel, ends: list[_End], window: slice
) -> Float[Tensor, "frames ends 3"]:
    """Changes of the ends' rotations in some frames."""
    part, confidence = motion.cut(window.start, window.stop), keypoints.confidence[window].clamp(max=1)
    xy_px, regressor = keypoints.xy_px[window], body.point_regressor(keypoints.layout)
    regressor = regressor.where(regressor.any(1, keepdim=True), regressor[ends[0].anchor])  # none in the camera
    frames = part.frame_count
    free = part.translation_m.new_zeros(frames, len(ends), 3, requires_grad=True)
    metre_per_px = (part.translation_m[:, 2].clamp(min=0.3) / camera.focal_px)[:, None]
    roughness = second_difference(frames).to(free) * (part.fps / 30) ** 2 if frames > 2 else None

    def cost() -> Tensor:
        turns = _SCALE_RAD * free
        rotmat = _turned(part.local_rotmat, turns, ends)
        pose = rotmat, part.betas, part.translation_m, part.expression
        shown_px = project(regressor @ body.points(JOINTS_AND_LANDMARKS, *pose), camera)
        total = (turns / _TURN_RAD).square().sum()
        for end in ends:
            points, anchor = list(end.points), end.anchor
            wanted_px = xy_px[:, points] - xy_px[:, anchor, None]
            off_m = (shown_px[:, points] - shown_px[:, anchor, None] - wanted_px) * metre_per_px[..., None]
            weight = (confidence[:, points] * confidence[:, anchor, None]).square()
            error = geman_mcclure(off_m.square().sum(-1), _OUTLIER_M) / _KEYPOINT_M**2
            total = total + (weight * error).sum()
        if roughness is not None:
            total = total + (torch.einsum("if,fej->iej", roughness, turns) / _ROUGHNESS_RAD).square().sum()
        return total

    minimise(cost, [free], _EVALUATIONS)
    return _SCALE_RAD * free.detach()
