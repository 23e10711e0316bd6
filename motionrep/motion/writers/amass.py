"""AMASS's .npz (poses, trans, betas, gender, mocap_framerate), in metres and z up."""

from pathlib import Path

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from motionrep.body.skeletons import FILE_ORDERS, SMPLH_54, SMPLX_57
from motionrep.body.smplx_parameters import hands_in_fingers
from motionrep.files.writing import written_beside
from motionrep.motion.axes import TURN_TO_UP, in_axes
from motionrep.motion.same_surface import gender_of_body
from motionrep.motion.tracks import PELVIS_M, Generation, is_made_for
from motionrep.motion.writers.scene import Scene

_BETAS = 16


def write(scene: Scene, path: Path) -> None:
    """Poses have the joints of SMPL-X for its body and of SMPL-H for others, with the hands' turn in the fingers.

    A body of another kind, such as the open one, is written as the mean SMPL body with its pelvis in the same place.
    """
    (person,) = scene.people
    body = person.body
    motion = in_axes(person.motion, body, torch.from_numpy(TURN_TO_UP["z"]).float())
    body.skin_weights_for(motion.local_rotmat.shape[1])  # refuses motions of other bodies
    joints = max(body.joint_count, SMPLH_54.joint_count)
    generation: Generation = "smplx" if joints == SMPLX_57.joint_count else "smpl"
    rotmat = hands_in_fingers(motion.local_rotmat, joints)[:, list(FILE_ORDERS[joints])]
    poses = Rotation.from_matrix(rotmat.double().flatten(0, 1).numpy()).as_rotvec().reshape(motion.frame_count, -1)
    betas, trans = np.zeros(max(_BETAS, len(motion.betas))), motion.translation_m.double()
    if is_made_for(generation, body):
        betas[: len(motion.betas)] = motion.betas.numpy()
    else:
        trans = trans + body.rest_joints(motion.betas)[0] - trans.new_tensor(PELVIS_M[generation])
    with written_beside(path) as beside, beside.open("wb") as file:  # to a name in capitals NumPy would append .npz
        np.savez_compressed(
            file,
            poses=poses,
            trans=trans.numpy(),
            betas=betas,
            gender=np.array(gender_of_body(body.name) or "neutral"),
            mocap_framerate=np.array(float(motion.fps)),
        )
