"""BVH: one person, whose skeleton is retargeted to the body."""

from dataclasses import replace

import torch

from motionrep.body.loading import load_body_model
from motionrep.body.model import BodyModel
from motionrep.files.contents import Contents
from motionrep.motion.bvh_files import BvhMotion, read_bvh
from motionrep.motion.floor import put_on_floor
from motionrep.motion.records import MotionOptions
from motionrep.motion.retargeting.skeletons import SkeletonMap, find_skeleton
from motionrep.motion.retargeting.to_body import retarget
from motionrep.types import BodyMotion


def read(contents: Contents, options: MotionOptions) -> list[BodyMotion]:
    """The motion of the body that was asked for. Raises ValueError for a broken file or an unknown skeleton."""
    bvh = read_bvh(contents.path)
    try:
        skeleton = options.skeleton or find_skeleton(bvh.joints, bvh.parents)
        skeleton = skeleton if options.up is None else replace(skeleton, up=options.up)
        return [motion_from_bvh(bvh, load_body_model(options.body_model), skeleton)]
    except ValueError as error:
        raise ValueError(f"{contents.path}: {error}") from error


def motion_from_bvh(bvh: BvhMotion, body: BodyModel, skeleton: SkeletonMap | None = None) -> BodyMotion:
    """Motion of the body (betas 0) from a BVH file's, with the soles on the floor; see `load_motions`.

    Raises:
        ValueError: The skeleton is not known or does not fit `skeleton`.
    """
    local_rotmat, translation_m = retarget(bvh, skeleton or find_skeleton(bvh.joints, bvh.parents), body)
    motion = BodyMotion(local_rotmat, translation_m, torch.zeros(body.beta_count), body.name, bvh.fps, "world")
    return put_on_floor(motion, body)
