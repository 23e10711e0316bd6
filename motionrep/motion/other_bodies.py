"""Carries motions over to another body by their rotations, which SMPL's bodies and the open body share."""

from dataclasses import replace

from motionrep.body.loading import load_body_model
from motionrep.body.model import BodyModel
from motionrep.body.translation import LEGS, leg_length, mid_hips, translation_from_mid_hips
from motionrep.motion.floor import floor_height_m, raised
from motionrep.types import BodyMotion


def with_rotations(motion: BodyMotion, body: BodyModel) -> BodyMotion:
    """The motion on the mean shape of another body: the same rotations, paths as long as the legs allow.

    Soles keep their height above the floor in a world. `fitting.transfer.transfer` finds shape and exact places too.
    """
    if motion.body_model == body.name:
        return motion
    source = load_body_model(motion.body_model, len(motion.betas))
    betas = motion.betas.new_zeros(body.beta_count)
    rest_m, rotmat = source.rest_joints(motion.betas), motion.local_rotmat[:, :24]
    middle_m = mid_hips(motion.translation_m, rotmat[:, 0], rest_m)
    scale = leg_length(body.rest_joints(betas)[LEGS]) / leg_length(rest_m[LEGS])
    moved_m = translation_from_mid_hips(scale * middle_m, rotmat[:, 0], body.rest_joints(betas))
    moved = replace(
        motion, local_rotmat=rotmat, translation_m=moved_m, betas=betas, body_model=body.name, expression=None
    )
    if motion.frame == "camera":
        return moved
    return raised(moved, floor_height_m(motion, source) - floor_height_m(moved, body))
