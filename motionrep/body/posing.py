"""The surface and the joints of a motion, on the body that the motion names."""

from motionrep.body.loading import load_body_model
from motionrep.body.model import BodyModel
from motionrep.layouts import JointLayout
from motionrep.types import BodyMotion, JointMotion, MeshMotion, pose_bodies_with


def surface_of(motion: BodyMotion) -> MeshMotion:
    """What `BodyMotion.mesh` returns."""
    return _body_of(motion).mesh(motion)


def joints_of(motion: BodyMotion, layout: JointLayout) -> JointMotion:
    """What `BodyMotion.joints` returns."""
    return _body_of(motion).joint_motion(motion, layout)


def _body_of(motion: BodyMotion) -> BodyModel:
    return load_body_model(motion.body_model, len(motion.betas)).to(motion.local_rotmat.device)


pose_bodies_with(surface_of, joints_of)
