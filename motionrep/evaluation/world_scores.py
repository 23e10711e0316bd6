"""Scores of motion in the world, over many clips whose true world and camera are known."""

from collections import defaultdict
from collections.abc import Mapping

import torch
from torch import Tensor

from motionrep.body import BodyModel
from motionrep.body.points import JOINTS_AND_LANDMARKS
from motionrep.evaluation.world_metrics import (
    feet_on_floor_percent,
    floating_mm,
    foot_sliding_m_per_s,
    jitter_10_m_per_s3,
    penetration_mm,
    rte_percent,
    up_error_deg,
    w_mpjpe_mm,
    wa_mpjpe_mm,
)
from motionrep.geometry.cameras import PinholeCamera
from motionrep.layouts import SMPL_24
from motionrep.motion.axes import in_axes, require_frame
from motionrep.motion.contacts import FEET, PARTS, POINTS, floor_contacts, of_parts, point_radii_m
from motionrep.types import BodyMotion

_FOOT_POINTS = [
    JOINTS_AND_LANDMARKS.index(f"{side}_{name}") for side in ("left", "right") for name in ("heel", "big_toe")
]
_FEET = [PARTS.index(part) for part in FEET]


class WorldScores:
    """The errors of `world_metrics`, as means over frames.

    Args:
        body: Of the motions and of the truth.
    """

    def __init__(self, body: BodyModel) -> None:
        self.body = body
        self.values: dict[str, list[Tensor]] = defaultdict(list)

    @torch.no_grad()
    def add(self, found: BodyMotion, truth: BodyMotion) -> None:
        """Adds a clip; both motions are in world axes, each in a world of its own whose floor is at y = 0.

        Raises:
            ValueError: A motion in other axes, or fewer than four frames.
        """
        for motion in (found, truth):
            require_frame(motion, "world")
        point_m, true_m = (
            self.body.points(JOINTS_AND_LANDMARKS, it.local_rotmat, it.betas, it.translation_m) for it in (found, truth)
        )
        joint_m, true_joint_m = (it[:, : SMPL_24.joint_count] for it in (point_m, true_m))
        radius_m, fps = point_radii_m(self.body), truth.fps
        contact = floor_contacts(true_m[:, list(POINTS)], radius_m, fps)
        gap_m = point_m[:, list(POINTS), 1] - radius_m
        lowest_m = -of_parts(-gap_m)
        measured = {
            "w_mpjpe": w_mpjpe_mm(joint_m, true_joint_m),
            "wa_mpjpe": wa_mpjpe_mm(joint_m, true_joint_m),
            "rte": rte_percent(joint_m[:, 0], true_joint_m[:, 0]),
            "foot_sliding": foot_sliding_m_per_s(point_m[:, _FOOT_POINTS], true_m[:, _FOOT_POINTS], fps),
            "jitter": jitter_10_m_per_s3(joint_m, fps),
            "feet_on_floor": feet_on_floor_percent(lowest_m[:, _FEET], contact[:, _FEET]),
            "penetration": penetration_mm(gap_m),
            "floating": floating_mm(gap_m, contact),
        }
        for name, values in measured.items():
            self.values[name].append(values)

    def add_up(self, camera: PinholeCamera, batch: Mapping[str, Tensor]) -> None:
        """Adds the errors of up in the camera that was found for a clip (`true_motion`)."""
        true = batch["camera_from_world"][0, ..., 1]
        self.values["up_error"].append(up_error_deg(camera.camera_from_world[..., :3, 1].expand_as(true), true))

    def result(self) -> dict[str, float]:
        """The means so far, in `world_metrics.WORLD_UNITS`; of up the median over frames. NaN does not count."""
        values = {name: torch.cat(parts) for name, parts in self.values.items()}
        known = {name: value[~value.isnan()] for name, value in values.items()}
        known = {name: value for name, value in known.items() if len(value)}
        return {name: float(value.median() if name == "up_error" else value.mean()) for name, value in known.items()}


def true_motion(batch: Mapping[str, Tensor], body: BodyModel, fps: float) -> BodyMotion:
    """The true motion in world axes of the only clip of a batch (`datasets.synthetic.clips`)."""
    pose = batch["local_rotmat"][0], batch["translation_m"][0], batch["betas"][0]
    rotmat, shift_m = batch["camera_from_world"][0].split([3, 1], -1)
    turn = rotmat.mT
    return in_axes(BodyMotion(*pose, body.name, fps, "camera"), body, turn, -(turn @ shift_m)[..., 0], "world")
