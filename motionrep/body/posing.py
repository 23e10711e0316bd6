"""The surface, the joints and the parameters of a motion, on the body that the motion names."""

from torch import Tensor

from motionrep.body.loading import load_body_model
from motionrep.body.model import BodyModel
from motionrep.layouts import JointLayout
from motionrep.types import BodyFunctions, BodyMotion, JointMotion, MeshMotion, pose_bodies_with


def surface_of(motion: BodyMotion) -> MeshMotion:
    """What `BodyMotion.mesh` returns."""
    return _body_of(motion).mesh(motion)


def joints_of(motion: BodyMotion, layout: JointLayout) -> JointMotion:
    """What `BodyMotion.joints` returns."""
    return _body_of(motion).joint_motion(motion, layout)


def smplx_of(motion: BodyMotion) -> dict[str, Tensor]:
    """What `BodyMotion.to_smplx` returns."""
    from motionrep.body.smplx_parameters import smplx_parameters  # brings roma, which takes long to import

    return smplx_parameters(motion, _body_of(motion))


def _body_of(motion: BodyMotion) -> BodyModel:
    return load_body_model(motion.body_model, len(motion.betas)).to(motion.local_rotmat.device)


pose_bodies_with(BodyFunctions(surface_of, joints_of, smplx_of))
