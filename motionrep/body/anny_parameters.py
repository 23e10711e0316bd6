"""Motions on Anny as the arguments of a model of the package `anny`."""

from typing import Any

import torch

from motionrep.body.kinematics import JointTree
from motionrep.body.loading import load_body_model
from motionrep.types import BodyMotion

_OURS_FROM_ANNY = torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [0.0, -1.0, 0.0]])  # Anny's z is up


def anny_parameters(motion: BodyMotion, model: Any) -> dict[str, Any]:
    """The arguments with which a model of the package `anny` gives the surface of a motion on Anny.

        model = anny.Anny(skinning_method="lbs")
        vertex_m = model(**anny_parameters(motion, model))["vertices"]

    The vertices are in the motion's axes. Anny turns its bones from rest rotations that depend on the phenotypes, which
    is why the model is asked for them.

    Args:
        model: An `anny.Anny` of its default rig, with any mesh.

    Raises:
        ValueError: The motion is on another body, or the model has another skeleton.
    """
    body = load_body_model("anny")
    pose, joints = body.own_pose(motion.to("cpu")), body.own_joints
    assert joints is not None
    if list(model.bone_labels) != list(joints.names):
        raise ValueError(f"model: has {len(model.bone_labels)} bones, expected the {len(joints.names)} of anny.Anny()")
    values = {name: float(value) for name, value in joints.shape.values(motion.betas.cpu().double()).items()}
    with torch.no_grad():
        rest = model(phenotype_kwargs=values)["rest_bone_poses"][0].cpu()
    world = JointTree(pose.parents)(pose.local_rotmat, pose.rest_joint_m).to(rest)
    world[..., :3, 3] += (pose.root_m - pose.rest_joint_m[0]).to(rest)[:, None]
    world[..., :3, :3] = world[..., :3, :3] @ _OURS_FROM_ANNY.to(rest) @ rest[:, :3, :3]
    return {"pose_parameters": world, "phenotype_kwargs": values, "pose_parameterization": "world"}
