"""Body motions in the conventions of other programs, and their comparison."""

from dataclasses import replace

import numpy as np
import roma
import torch

from motionrep.types import BodyMotion

SMPL_PELVIS_M = torch.tensor([-0.002, -0.223, 0.028])
DOWN_UP = torch.diag(torch.tensor([1.0, -1.0, -1.0]))  # half a turn about x: a camera's axes and the world's


def rotvec(motion: BodyMotion) -> np.ndarray:
    return roma.rotmat_to_rotvec(motion.local_rotmat.double()).flatten(1).numpy()


def joints(motion: BodyMotion, body) -> torch.Tensor:
    return body.joints(motion.local_rotmat, motion.betas, motion.translation_m)


def on_smpl(motion: BodyMotion, smpl) -> BodyMotion:
    """The same pelvis path on a body whose pelvis rests elsewhere."""
    return replace(motion, translation_m=motion.translation_m - smpl.rest_joints(motion.betas)[0], body_model=smpl.name)


def turned(motion: BodyMotion, turn: torch.Tensor, shift_m: torch.Tensor, body, frame="camera") -> BodyMotion:
    """Body and path in other axes; what is turned is the pelvis' place, not the translation."""
    pelvis_m = body.rest_joints(motion.betas)[0]
    place_m = ((motion.translation_m + pelvis_m)[:, None] @ turn.mT)[:, 0] + shift_m - pelvis_m
    local_rotmat = torch.cat([(turn @ motion.local_rotmat[:, 0])[:, None], motion.local_rotmat[:, 1:]], 1)
    return replace(motion, local_rotmat=local_rotmat, translation_m=place_m, frame=frame)


def assert_same(got: BodyMotion, expected: BodyMotion, atol: float = 2e-5):
    assert (got.frame, got.fps, got.frame_count) == (expected.frame, expected.fps, expected.frame_count)
    torch.testing.assert_close(got.local_rotmat, expected.local_rotmat, atol=atol, rtol=0)
    torch.testing.assert_close(got.translation_m, expected.translation_m, atol=atol, rtol=0)
    torch.testing.assert_close(got.betas, expected.betas, atol=1e-6, rtol=0)
