"""AMASS .npz."""

from pathlib import Path

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from motionrep.body import BodyModel
from motionrep.body.skeletons import FILE_ORDERS, SMPLH_54, SMPLX_57
from motionrep.files.writing import written_beside
from motionrep.motion.axes import _TURN, _turned
from motionrep.motion.tracks import PELVIS_M, Generation, is_made_for
from motionrep.types import BodyMotion

_AMASS_BETAS = 16


def _write_amass(motion: BodyMotion, body: BodyModel, path: Path) -> None:
    motion = _turned(motion, body, torch.tensor(_TURN["z"], dtype=torch.float32))
    joints = motion.local_rotmat.shape[1]
    body.skin_weights_for(joints)  # refuses motions of other bodies
    order = FILE_ORDERS[max(body.joint_count, SMPLH_54.joint_count)]
    generation: Generation = "smplx" if body.joint_count == SMPLX_57.joint_count else "smpl"
    poses = np.zeros((motion.frame_count, len(order), 3))
    for column, joint in enumerate(order):
        if joint < joints:
            poses[:, column] = Rotation.from_matrix(motion.local_rotmat[:, joint].double().numpy()).as_rotvec()
    betas, trans = np.zeros(max(_AMASS_BETAS, len(motion.betas))), motion.translation_m.double()
    if is_made_for(generation, body):
        betas[: len(motion.betas)] = motion.betas.numpy()
    else:
        trans = trans + body.rest_joints(motion.betas)[0] - trans.new_tensor(PELVIS_M[generation])
    with written_beside(path) as beside, beside.open("wb") as file:  # to a name in capitals NumPy would append .npz
        np.savez_compressed(
            file,
            poses=poses.reshape(len(poses), -1),
            trans=trans.numpy(),
            betas=betas,
            gender=np.array(body.name.rpartition("-")[2] if body.name.endswith(("-male", "-female")) else "neutral"),
            mocap_framerate=np.array(float(motion.fps)),
        )
